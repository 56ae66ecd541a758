// Character classes of RFC 9110 and the scan that finds the end of a line.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace celadon::http {

namespace detail {
inline constexpr std::uint8_t kToken = 1;
inline constexpr std::uint8_t kTarget = 2;
inline constexpr std::uint8_t kHost = 4;
inline constexpr std::uint8_t kHex = 8;
inline constexpr std::uint8_t kDigit = 16;
inline constexpr std::uint8_t kPercent = 32;
inline constexpr std::uint8_t kQueryMark = 64;

consteval std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  const auto add = [&](std::string_view set, std::uint8_t bit) {
    for (const char c : set) {
      auto& entry = table[static_cast<std::uint8_t>(c)];
      entry = static_cast<std::uint8_t>(entry | bit);
    }
  };
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view digits = "0123456789";
  add(letters, kToken | kHost);
  add(digits, kToken | kHost | kHex | kDigit);
  add("abcdefABCDEF", kHex);
  add("!#$%&'*+-.^_`|~", kToken);
  add("-._~", kHost);
  add("%", kPercent);
  add("?", kQueryMark);
  for (std::size_t c = 0x21; c < 0x7f; ++c) {
    if (c != '#') table[c] = static_cast<std::uint8_t>(table[c] | kTarget);
  }
  return table;
}
inline constexpr auto kClasses = make_classes();

constexpr bool in_class(char c, std::uint8_t bit) noexcept {
  return (kClasses[static_cast<std::uint8_t>(c)] & bit) != 0;
}
// The classes that every byte of a text is in, and those that some byte is in.
struct ClassesOf {
  std::uint8_t in_all = 0xff;
  std::uint8_t in_any = 0;
};
constexpr ClassesOf classes_of(std::string_view s) noexcept {
  ClassesOf found;
  for (const char c : s) {
    const std::uint8_t classes = kClasses[static_cast<std::uint8_t>(c)];
    found.in_all &= classes;
    found.in_any |= classes;
  }
  return found;
}
constexpr bool all_in_class(std::string_view s, std::uint8_t bit) noexcept {
  return (classes_of(s).in_all & bit) != 0;
}
}  // namespace detail

constexpr bool is_digit(char c) noexcept {
  return detail::in_class(c, detail::kDigit);
}
constexpr bool is_hex(char c) noexcept {
  return detail::in_class(c, detail::kHex);
}
constexpr bool is_token_char(char c) noexcept {
  return detail::in_class(c, detail::kToken);
}
// A non-empty token (RFC 9110 5.6.2).
constexpr bool is_token(std::string_view s) noexcept {
  return !s.empty() && detail::all_in_class(s, detail::kToken);
}
// Bytes that a request target may have: 0x21 to 0x7E without '#'.
constexpr bool is_target_text(std::string_view s) noexcept {
  return detail::all_in_class(s, detail::kTarget);
}
constexpr bool is_host_text(std::string_view s) noexcept {
  return detail::all_in_class(s, detail::kHost);
}

constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

// The value of a hexadecimal digit.
constexpr unsigned hex_value(char c) noexcept {
  return is_digit(c) ? static_cast<unsigned>(c - '0')
                     : static_cast<unsigned>(to_lower(c) - 'a') + 10U;
}

// Only SP and HTAB are optional white space; no other byte is ever trimmed.
constexpr std::string_view trim_ows(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// The first control byte other than HTAB in [begin, end), or end. So one pass both
// finds the end of a line and proves the line free of NUL, CR, LF and their kin.
const char* find_control(const char* begin, const char* end) noexcept;

}  // namespace celadon::http
