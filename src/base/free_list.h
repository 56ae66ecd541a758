// Objects that are kept for who needs one next, so that a burst of requests does not go
// through malloc one by one. The one that came back last goes out first: what a period
// has no use for lies at the bottom, and is as many as there were at least.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/memory.h"

namespace celadon {

template <class T>
class FreeList {
 public:
  explicit FreeList(std::size_t most) noexcept : most_(most) {}

  // Null: there is none.
  [[nodiscard]] std::unique_ptr<T> take() noexcept {
    if (free_.empty()) return nullptr;
    auto object = std::move(free_.back());
    free_.pop_back();
    unused_ = std::min(unused_, free_.size());
    return object;
  }
  void put(std::unique_ptr<T> object) {
    if (free_.size() < most_) free_.push_back(std::move(object));
  }

  [[nodiscard]] bool empty() const noexcept { return free_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return free_.size(); }
  // A period is over: drops what it had no use for.
  void give_back_unused() {
    free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(unused_));
    free_.shrink_to_fit();
    unused_ = free_.size();
  }
  void give_back_all() noexcept {
    give_back(free_);
    unused_ = 0;
  }

 private:
  const std::size_t most_;
  std::vector<std::unique_ptr<T>> free_;
  std::size_t unused_ = 0;  // in this period, so far
};

}  // namespace celadon
