#include "base/out_queue.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/memory.h"

namespace celadon {

void OutQueue::append_copy(std::string_view data) {
  if (data.empty()) return;
  bytes_ += data.size();
  if (!chunks().empty()) {
    Chunk& last = chunks_.back();
    // Growing a chunk that is partly sent is fine: offset_ counts from its start.
    if (!last.owner.release && last.copied.size() + data.size() <= kBlock) {
      last.copied.append(data);
      return;
    }
  }
  add_block(data);
}

void OutQueue::add_block(std::string_view data) {
  std::string block = std::move(spare_);
  spare_ = {};
  block.clear();
  block.reserve(std::max(data.size(), kFirst));
  block.append(data);
  chunks_.push_back(Chunk{std::move(block), {}, {}});
}

void OutQueue::append_owned(std::string_view data, Owner owner) {
  ASSERT(owner.release, "an owned chunk needs an owner");
  if (data.empty()) {
    owner.release(owner.object);
    return;
  }
  bytes_ += data.size();
  chunks_.push_back(Chunk{{}, data, owner});
}

std::size_t OutQueue::gather(std::span<iovec> out) const noexcept {
  std::size_t n = 0;
  std::size_t skip = offset_ + passed_;
  for (const Chunk& chunk : chunks()) {
    if (n == out.size()) break;
    std::string_view data = chunk.data();
    const std::size_t sent = std::min(skip, data.size());
    skip -= sent;
    data.remove_prefix(sent);
    if (data.empty()) continue;
    out[n++] = iovec{const_cast<char*>(data.data()), data.size()};
  }
  return n;
}

void OutQueue::consume(std::size_t n) noexcept {
  ASSERT(n <= bytes_, "more consumed than queued");
  bytes_ -= n;
  n += std::exchange(passed_, 0);
  while (n > 0) {
    const std::size_t left = front().data().size() - offset_;
    if (n < left) {
      offset_ += n;
      return;
    }
    n -= left;
    drop_front();
  }
}

void OutQueue::pass_over(std::size_t n) noexcept {
  ASSERT(n <= bytes_, "more passed over than queued");
  bytes_ -= n;
  passed_ += n;
}

void OutQueue::drop_front() noexcept {
  const Owner owner = front().owner;
  if (!owner.release && front().copied.capacity() <= kBlock) {
    spare_ = std::move(front().copied);
  }
  ++first_;
  offset_ = 0;
  if (first_ == chunks_.size()) {
    chunks_.clear();
    first_ = 0;
  } else if (first_ == kManyLeft) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + kManyLeft);
    first_ = 0;
  }
  if (owner.release) owner.release(owner.object);
}

void OutQueue::clear() noexcept {
  while (!chunks().empty()) drop_front();
  bytes_ = passed_ = 0;
}

void OutQueue::reset() noexcept {
  clear();
  if (chunks_.capacity() > kManyLeft) give_back(chunks_);
}

std::unique_ptr<OutQueue> OutPool::take() {
  auto queue = free_.take();
  return queue ? std::move(queue) : std::make_unique<OutQueue>();
}

void OutPool::put(std::unique_ptr<OutQueue> queue) noexcept {
  if (!queue) return;
  queue->reset();
  free_.put(std::move(queue));
}

}  // namespace celadon
