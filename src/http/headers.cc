#include "http/headers.h"

#include <array>

namespace celadon::http {
namespace {

constexpr std::array<std::string_view, kKnownHeaders> kNames{
#define CELADON_HEADER_NAME(id, name) name,
    CELADON_HEADERS(CELADON_HEADER_NAME)
#undef CELADON_HEADER_NAME
};

constexpr std::size_t kTable = 256;
constexpr std::uint8_t kEmpty = 0xff;

constexpr std::size_t hash_of(std::string_view name) noexcept {
  const auto first = static_cast<unsigned char>(to_lower(name.front()));
  const auto last = static_cast<unsigned char>(to_lower(name.back()));
  const auto mid = static_cast<unsigned char>(to_lower(name[name.size() / 2]));
  return (name.size() * 11 + first * 5U + last * 29U + mid * 3U) % kTable;
}

consteval std::array<std::uint8_t, kTable> make_table() {
  std::array<std::uint8_t, kTable> table{};
  table.fill(kEmpty);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    std::size_t at = hash_of(kNames[i]);
    while (table[at] != kEmpty) at = (at + 1) % kTable;
    table[at] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto kIndex = make_table();

}  // namespace

HeaderId header_id(std::string_view name) noexcept {
  if (!name.empty()) {
    for (std::size_t at = hash_of(name); kIndex[at] != kEmpty; at = (at + 1) % kTable) {
      if (equals_ignoring_case(name, kNames[kIndex[at]])) {
        return static_cast<HeaderId>(kIndex[at]);
      }
    }
  }
  return name.contains('_') ? HeaderId::Underscored : HeaderId::Other;
}

std::string_view header_name(HeaderId id) noexcept {
  return kNames[static_cast<std::size_t>(id)];
}

bool is_hop_by_hop(HeaderId id) noexcept {
  switch (id) {
    case HeaderId::Connection:
    case HeaderId::KeepAlive:
    case HeaderId::ProxyAuthenticate:
    case HeaderId::ProxyAuthorization:
    case HeaderId::ProxyConnection:
    case HeaderId::Te:
    case HeaderId::Trailer:
    case HeaderId::TransferEncoding:
    case HeaderId::Upgrade: return true;
    default: return false;
  }
}

}  // namespace celadon::http
