// Everything that happens by chance follows from one number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace celadon::sim {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) noexcept : state_(seed) {}

  // splitmix64
  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 .. n-1
  std::size_t below(std::size_t n) noexcept {
    return static_cast<std::size_t>((static_cast<unsigned __int128>(next()) * n) >> 64);
  }
  std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low +
           static_cast<std::int64_t>(below(static_cast<std::size_t>(high - low + 1)));
  }
  bool percent(unsigned p) noexcept { return below(100) < p; }
  std::int64_t any_of(std::initializer_list<std::int64_t> values) noexcept {
    return values.begin()[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace celadon::sim
