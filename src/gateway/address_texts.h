// Addresses and ports as Python has them. A server sees few of them again and again; a
// connection keeps none, so that it is small while it waits.
#pragma once

#include <array>
#include <cstdint>

#include "py/ref.h"
#include "server/exchange.h"

namespace celadon::gateway {

class AddressTexts {
 public:
  // Borrowed, until the next call. Null with an exception.
  [[nodiscard]] PyObject* ip(const net::Address& address) noexcept;
  [[nodiscard]] PyObject* port(std::uint16_t port) noexcept;
  void clear() noexcept {
    ips_ = {};
    ports_ = {};
  }

 private:
  static constexpr std::size_t kIps = 64;
  static constexpr std::size_t kPorts = 256;
  struct Ip {
    net::Address address;
    py::Object text;
  };
  struct Port {
    std::uint16_t port = 0;
    py::Object text;
  };
  std::array<Ip, kIps> ips_;
  std::array<Port, kPorts> ports_;
};

}  // namespace celadon::gateway
