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

}  // namespace celadon::sim
