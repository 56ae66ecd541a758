#include "loop/thread.h"

#include <atomic>
#include <memory>

#include "base/assert.h"
#include "loop/signals_blocked.h"

namespace celadon::loop {
namespace {

std::atomic<std::size_t> alive{0};

void* run(void* work) noexcept {
  const std::unique_ptr<Thread::Work> owned(static_cast<Thread::Work*>(work));
  (*owned)();
  alive.fetch_sub(1, std::memory_order_relaxed);
  return nullptr;
}

void none_in_child() noexcept {
  alive.store(0, std::memory_order_relaxed);
}

}  // namespace

Thread::~Thread() {
  CHECK(!started_, "a thread outlives its owner");
}

std::expected<void, Error> Thread::start(Work work) noexcept {
  CHECK(!started_, "a thread is started twice");
  auto owned = std::make_unique<Work>(std::move(work));
  [[maybe_unused]] static const int registered =
      ::pthread_atfork(nullptr, nullptr, none_in_child);
  const SignalsBlocked blocked;
  alive.fetch_add(1, std::memory_order_relaxed);
  const int failure = ::pthread_create(&id_, nullptr, run, owned.get());
  if (failure != 0) alive.fetch_sub(1, std::memory_order_relaxed);
  if (failure == EAGAIN) return std::unexpected(Error::NoThreads);
  if (failure != 0) return std::unexpected(error_from_errno(failure));
  [[maybe_unused]] const auto* theirs = owned.release();
  started_ = true;
  return {};
}

std::size_t Thread::running() noexcept {
  return alive.load(std::memory_order_relaxed);
}

void Thread::join() noexcept {
  if (!std::exchange(started_, false)) return;
  ::pthread_join(id_, nullptr);
}

}  // namespace celadon::loop
