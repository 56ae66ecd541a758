#include "server/body_store.h"

#include <utility>

#include "base/assert.h"
#include "base/memory.h"
#include "server/spool.h"

namespace celadon::server {
namespace {

constexpr std::size_t kGathered = std::size_t{64} * 1024;  // before it is written
constexpr std::size_t kKept = 2048;                        // where nothing waits

}  // namespace

BodyStore::~BodyStore() {
  if (file_ >= 0) close_spool(file_);
}

void BodyStore::clear() noexcept {
  if (file_ >= 0) close_spool(std::exchange(file_, -1));
  at_ = 0;
  give_back(bytes_);
}

// A reader that never catches up leaves what it has taken in front of the rest.
void BodyStore::append(std::string_view data) {
  if (at_ > 0 && at_ >= unread().size()) bytes_.erase(0, std::exchange(at_, 0));
  bytes_.append(data);
}

bool BodyStore::append(std::string_view data, const Spooling& rule) noexcept {
  if (file_ < 0 && bytes_.size() + data.size() <= rule.above) {
    bytes_.append(data);
    return true;
  }
  if (file_ < 0) {
    file_ = open_spool(*rule.folder);
    if (file_ < 0) return false;
  }
  if (bytes_.size() + data.size() < kGathered) {
    bytes_.append(data);
    return true;
  }
  return write_gathered() && write_spool(file_, data);
}

bool BodyStore::finish() noexcept {
  return file_ < 0 || write_gathered();
}

bool BodyStore::write_gathered() noexcept {
  const bool written = bytes_.empty() || write_spool(file_, bytes_);
  give_back(bytes_);
  return written;
}

void BodyStore::consume(std::size_t n) noexcept {
  ASSERT(n <= bytes_.size() - at_, "more of a body taken than is there");
  at_ += n;
  if (at_ < bytes_.size()) return;
  at_ = 0;
  // More of a body, or of what comes in a tunnel, may be hours away.
  if (bytes_.capacity() > kKept) return give_back(bytes_);
  bytes_.clear();
}

}  // namespace celadon::server
