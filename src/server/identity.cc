#include "server/identity.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "http/chars.h"
#include "http/trace_context.h"

namespace celadon::server {
namespace {

constexpr auto kHexOfBytes = [] {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = {kDigits[i >> 4], kDigits[i & 15]};
  }
  return table;
}();

// An even number of digits.
template <std::size_t kDigits>
void put_hex(char* at, std::uint64_t value) noexcept {
  static_assert(kDigits % 2 == 0);
  for (std::size_t i = kDigits; i > 0; i -= 2) {
    std::memcpy(at + i - 2, kHexOfBytes[value & 0xff].data(), 2);
    value >>= 8;
  }
}

constexpr std::size_t kUuid = 36;

// Time in milliseconds, then random bits: later ids sort behind earlier ones.
void put_uuid7(char* at, std::uint64_t ms, std::uint64_t high,
               std::uint64_t low) noexcept {
  constexpr std::uint64_t kVersion = 0x7000;
  constexpr std::uint64_t kVariant = 0x8000;
  put_hex<8>(at, ms >> 16);
  at[8] = '-';
  put_hex<4>(at + 9, ms & 0xffff);
  at[13] = '-';
  put_hex<4>(at + 14, kVersion | (high & 0xfff));
  at[18] = '-';
  put_hex<4>(at + 19, kVariant | (high >> 50));
  at[23] = '-';
  put_hex<12>(at + 24, low >> 16);
}

bool is_id(std::string_view text) noexcept {
  return text.size() <= kLongestRequestId && http::is_token(text);
}

}  // namespace

std::string Identity::traceparent() const {
  if (trace_size == 0) return {};
  std::string text = "00-";
  text.append(trace_id()).append("-").append(span_id()).append("-");
  return text.append(flags.data(), flags.size());
}

Naming::Naming(std::string header)
    : header_(std::move(header)), header_id_(http::header_id(header_)) {
  const auto size = static_cast<ssize_t>(sizeof state_);
  CHECK(::getrandom(state_.data(), sizeof state_, 0) == size, "no random bytes");
  state_[0] |= 1;  // never all zeros
}

// xoroshiro128+: ids must differ, they need not be secret.
std::uint64_t Naming::random() noexcept {
  const std::uint64_t first = state_[0];
  std::uint64_t second = state_[1];
  const std::uint64_t result = first + second;
  second ^= first;
  state_[0] = std::rotl(first, 24) ^ second ^ (second << 16);
  state_[1] = std::rotl(second, 37);
  return result;
}

std::string_view Naming::sent_id(const http::Request& request) const noexcept {
  for (const http::Field& field : request.fields) {
    if (field.id != header_id_) continue;
    if (header_id_ < http::HeaderId::Count ||
        http::equals_ignoring_case(request.name(field), header_)) {
      return request.value(field);
    }
  }
  return {};
}

void Naming::name(Identity& identity, const http::Request& request, bool trusted,
                  Nanos wall) noexcept {
  if (trusted && !header_.empty()) {
    if (const std::string_view sent = sent_id(request); is_id(sent)) {
      std::ranges::copy(sent, identity.id.begin());
      identity.id_size = static_cast<std::uint8_t>(sent.size());
      return;
    }
  }
  put_uuid7(identity.id.data(), static_cast<std::uint64_t>(wall / kMillisecond),
            random(), random());
  identity.id_size = kUuid;
}

void Naming::trace(Identity& identity, const http::Request& request) noexcept {
  const http::Field* field = request.find(http::HeaderId::Traceparent);
  const auto sent =
      field ? http::parse_traceparent(request.value(*field)) : std::nullopt;
  if (sent) {
    std::ranges::copy(sent->trace_id, identity.trace.begin());
    std::ranges::copy(sent->flags, identity.flags.begin());
  } else {
    put_hex<16>(identity.trace.data(), random() | 1);
    put_hex<16>(identity.trace.data() + 16, random());
    identity.flags = {'0', '0'};
  }
  put_hex<16>(identity.span.data(), random() | 1);
  identity.trace_size = static_cast<std::uint8_t>(identity.trace.size());
}

}  // namespace celadon::server
