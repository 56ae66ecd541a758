// How much memory of one kind may be held, here and above.
#pragma once

#include <cstddef>

namespace celadon::h2 {

class MemoryBudget {
 public:
  // `above`, which outlives it, is charged too.
  explicit MemoryBudget(std::size_t most, MemoryBudget* above = nullptr) noexcept
      : most_(most), above_(above) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // False: there is no room for it, and nothing was charged.
  [[nodiscard]] bool charge(std::size_t bytes) noexcept {
    if (bytes > most_ - used_ || (above_ && !above_->charge(bytes))) return false;
    used_ += bytes;
    return true;
  }
  void give_back(std::size_t bytes) noexcept {
    used_ -= bytes;
    if (above_) above_->give_back(bytes);
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  std::size_t most_;
  std::size_t used_ = 0;
  MemoryBudget* above_;
};

}  // namespace celadon::h2
