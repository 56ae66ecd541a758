// Bytes that the server has allocated: every allocation is counted that is made while
// the server runs, none that is made by those around it.
#pragma once

#include <cstddef>

namespace celadon::sim::memory {

// Allocated within an Inside, and not freed yet.
[[nodiscard]] std::size_t live() noexcept;

class Inside {  // the server runs
 public:
  Inside() noexcept;
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool before_;
};

class Outside {  // the server has called one of us
 public:
  Outside() noexcept;
  ~Outside();
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

 private:
  bool before_;
};

}  // namespace celadon::sim::memory
