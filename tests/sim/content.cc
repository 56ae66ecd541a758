#include "sim/content.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "sim/choices.h"

namespace celadon::sim {
namespace {

constexpr std::size_t kPeriod = 32749;  // prime, so that no block size divides it

const std::array<char, kPeriod>& table() noexcept {
  static const auto made = [] {
    std::array<char, kPeriod> bytes;
    Choices choices(1);
    for (char& c : bytes) c = static_cast<char>(choices.next());
    return bytes;
  }();
  return made;
}

// Calls `each(data, size)` for every piece of the table that the range lies in.
template <class Each>
bool walk(std::uint64_t id, std::uint64_t offset, std::size_t size, Each each) {
  std::size_t at = (id * 7919 + offset) % kPeriod;
  while (size > 0) {
    const std::size_t n = std::min(size, kPeriod - at);
    if (!each(table().data() + at, n)) return false;
    size -= n;
    at = 0;
  }
  return true;
}

void append_character(std::string& out, std::size_t width, Choices& choices) {
  const auto byte = [&](unsigned from, std::size_t range) {
    out += static_cast<char>(from + choices.below(range));
  };
  switch (width) {
    case 1: return byte('a', 26);
    case 2: out += '\xC3'; break;  // U+00C0 and on
    case 3:
      out += '\xE2';  // U+2000 and on
      byte(0x80, 64);
      break;
    default:
      out += "\xF0\x9F";  // U+1F000 and on
      byte(0x80, 64);
  }
  byte(0x80, 64);
}

}  // namespace

void append_content(std::string& out, std::uint64_t id, std::uint64_t offset,
                    std::size_t size) {
  walk(id, offset, size, [&out](const char* data, std::size_t n) {
    out.append(data, n);
    return true;
  });
}

bool is_content(const char* data, std::size_t size, std::uint64_t id,
                std::uint64_t offset) noexcept {
  return walk(id, offset, size, [&data](const char* expected, std::size_t n) {
    if (std::memcmp(data, expected, n) != 0) return false;
    data += n;
    return true;
  });
}

std::string message_of(bool is_text, std::uint64_t id, std::size_t size) {
  constexpr std::size_t kWidest = 4;
  std::string out;
  if (!is_text) {
    append_content(out, id, 0, size);
    return out;
  }
  Choices choices(id);
  while (out.size() < size) {
    const std::size_t room = std::min(kWidest, size - out.size());
    append_character(out, 1 + choices.below(room), choices);
  }
  return out;
}

}  // namespace celadon::sim
