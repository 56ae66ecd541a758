#include "net/guard.h"

#include <algorithm>

#include "net/stream.h"

namespace celadon::net {

void Guard::pass(std::size_t bytes) noexcept {
  left_ += bytes;
  if (left_ < sealed_.size()) return;
  left_ = 0;
  // A large answer's room is not kept by a connection that may be idle for long.
  constexpr std::size_t kKept = 512;
  if (sealed_.capacity() > kKept) {
    sealed_ = std::string();
  } else {
    sealed_.clear();
  }
}

void Guard::drop() noexcept {
  unlink();
  received_ = std::string();
  sealed_ = std::string();
  left_ = 0;
}

Io Guard::receive(std::span<char> into) noexcept {
  if (received_.empty()) return receive_from(fd_, into);
  const std::size_t n = std::min(into.size(), received_.size());
  std::copy_n(received_.data(), n, into.data());
  received_.erase(0, n);
  if (received_.empty()) received_ = std::string();
  return {Io::Step::Done, Error::Other, n};
}

void Guard::transmit(std::string_view sealed) noexcept {
  sealed_.append(sealed);
}

void Guard::on_again() noexcept {
  stream_.on_more();
}

}  // namespace celadon::net
