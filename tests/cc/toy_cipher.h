// A cipher for tests: `hello!` is answered by `HELLO!`, and then each byte is turned
// over, in records of at most 255 that say how long they are. `GET` is plain HTTP.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "net/cipher.h"

namespace celadon {

class ToyCipher final : public net::Cipher {
 public:
  using Io = net::Io;
  static constexpr std::string_view kAsk = "hello!";
  static constexpr std::string_view kAnswer = "HELLO!";

  // Both ways: what one side seals the other opens.
  static std::string sealed(std::string_view plain) {
    std::string out;
    for (std::size_t at = 0; at < plain.size(); at += 255) {
      const std::string_view part = plain.substr(at, 255);
      out += static_cast<char>(part.size());
      for (const char c : part) out += static_cast<char>(~c);
    }
    return out;
  }
  // The whole records of what was received.
  static std::string opened(std::string_view sealed) {
    std::string out;
    while (!sealed.empty()) {
      const auto size = static_cast<unsigned char>(sealed[0]);
      if (sealed.size() < 1U + size) break;
      for (const char c : sealed.substr(1, size)) out += static_cast<char>(~c);
      sealed.remove_prefix(1U + size);
    }
    return out;
  }

  Io shake(net::Wire& wire) noexcept override {
    while (in_.size() < kAsk.size()) {
      const Io io = fill(wire);
      if (io.step == Io::Step::Eof) return {Io::Step::Failed, Error::BadTls};
      if (io.step != Io::Step::Done) return io;
    }
    if (!in_.starts_with(kAsk)) {
      met_http_ = in_.starts_with("GET");
      if (!met_http_) wire.transmit("alert!");
      return {Io::Step::Failed, Error::BadTls};
    }
    in_.erase(0, kAsk.size());
    wire.transmit(kAnswer);
    return {};
  }
  Io open(net::Wire& wire, std::span<char> into) noexcept override {
    while (opened_.empty()) {
      opened_ = opened(in_);
      if (!opened_.empty()) {
        in_.erase(0, sealed(opened_).size());
        break;
      }
      if (const Io io = fill(wire); io.step != Io::Step::Done) return io;
    }
    const std::size_t n = std::min(into.size(), opened_.size());
    std::copy_n(opened_.data(), n, into.data());
    opened_.erase(0, n);
    return {Io::Step::Done, Error::Other, n};
  }
  bool has_more() const noexcept override { return !opened_.empty() || !in_.empty(); }
  Io seal(net::Wire& wire, std::span<const iovec> pieces) noexcept override {
    std::size_t taken = 0;
    for (const iovec& piece : pieces) {
      const std::string_view all(static_cast<const char*>(piece.iov_base),
                                 piece.iov_len);
      const std::string_view some = all.substr(0, kAtOnce - taken);
      wire.transmit(sealed(some));
      taken += some.size();
    }
    return {Io::Step::Done, Error::Other, taken};
  }
  void say_goodbye(net::Wire& wire) noexcept override {
    wire.transmit(std::string_view("\0", 1));
  }
  bool met_plain_http() const noexcept override { return met_http_; }
  const net::Secrecy& secrecy() const noexcept override { return secrecy_; }

 private:
  static constexpr std::size_t kAtOnce = 64 * 1024;

  Io fill(net::Wire& wire) noexcept {
    std::array<char, 1024> some;
    const Io io = wire.receive(some);
    in_.append(some.data(), io.bytes);
    return io;
  }
  std::string in_;
  std::string opened_;
  bool met_http_ = false;
  net::Secrecy secrecy_;
};

class ToyCiphers final : public net::CipherSource {
 public:
  std::unique_ptr<net::Cipher> make() noexcept override {
    ++made;
    return std::make_unique<ToyCipher>();
  }
  int made = 0;
};

}  // namespace celadon
