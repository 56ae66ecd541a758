#include "gateway/address_texts.h"

#include <charconv>

#include "gateway/text.h"

namespace celadon::gateway {
namespace {

// The last bytes differ most.
std::size_t hash_of(const net::Address& address) noexcept {
  std::size_t hash = 0;
  for (const std::uint8_t byte : address.ip()) hash = hash * 31 + byte;
  return hash;
}

}  // namespace

PyObject* AddressTexts::ip(const net::Address& address) noexcept {
  Ip& place = ips_[hash_of(address) % kIps];
  if (!place.text || !place.address.has_ip_of(address)) {
    place.address = address;
    place.text = to_str(address.ip_text());
  }
  return place.text.get();
}

PyObject* AddressTexts::port(std::uint16_t port) noexcept {
  Port& place = ports_[port % kPorts];
  if (!place.text || place.port != port) {
    std::array<char, 5> digits;
    const char* end =
        std::to_chars(digits.data(), digits.data() + digits.size(), port).ptr;
    place.port = port;
    place.text = to_str({digits.data(), end});
  }
  return place.text.get();
}

}  // namespace celadon::gateway
