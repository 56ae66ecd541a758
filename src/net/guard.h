// What a stream needs where a cipher stands before its socket: the cipher, what it has
// sealed and the kernel did not take yet, and what was received before it came.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "loop/loop.h"
#include "net/cipher.h"

namespace celadon::net {

class Stream;

class Guard final : public Wire, public loop::Again {
 public:
  Guard(Stream& stream, int fd, std::unique_ptr<Cipher> cipher,
        std::string_view received)
      : stream_(stream), fd_(fd), cipher_(std::move(cipher)), received_(received) {}

  [[nodiscard]] Cipher& cipher() noexcept { return *cipher_; }
  [[nodiscard]] const Cipher& cipher() const noexcept { return *cipher_; }
  // It may wait for bytes that nobody will announce.
  [[nodiscard]] bool has_more() const noexcept {
    return !received_.empty() || cipher_->has_more();
  }

  [[nodiscard]] std::string_view sealed() const noexcept {
    return std::string_view(sealed_).substr(left_);
  }
  // So many of them have left.
  void pass(std::size_t bytes) noexcept;
  // Nothing comes or goes any more.
  void drop() noexcept;

 private:
  Io receive(std::span<char> into) noexcept override;
  void transmit(std::string_view sealed) noexcept override;
  void on_again() noexcept override;

  Stream& stream_;
  const int fd_;
  std::unique_ptr<Cipher> cipher_;
  std::string received_;  // ahead of what the socket has
  std::string sealed_;
  std::size_t left_ = 0;  // sealed bytes that have left
};

}  // namespace celadon::net
