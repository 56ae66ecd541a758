// Memory that is free and that malloc keeps: a large block that lay below a small one
// which is still in use, as the buffers of a burst do. After traffic, when the loop has
// little to do, the C library is asked to give it back.
//
// What that costs is bounded: it is done in quiet periods, in others after ten minutes,
// and takes a thousandth of the time at most.
#pragma once

#include <cstdint>

#include "base/memory.h"
#include "loop/loop.h"

namespace celadon::server {

class Server;

class HeapKeeper final : public loop::Keeper {
 public:
  // Behind the keepers that there are: what they give back is free by then.
  HeapKeeper(loop::Loop& loop, const Server& server,
             void (*trim)() noexcept = trim_heap) noexcept;

  [[nodiscard]] bool keeps_memory() const noexcept override;
  void give_back_unused() noexcept override;
  void give_back_all() noexcept override {}

 private:
  static constexpr std::uint64_t kWorthwhile = 64 * 1024;  // bytes of traffic
  static constexpr std::uint64_t kQuiet = 8;  // one part of so many is work
  static constexpr Nanos kLongest = 600 * kSecond;
  static constexpr Nanos kShare = 1000;

  [[nodiscard]] std::uint64_t moved() const noexcept;

  loop::Loop& loop_;
  const Server& server_;
  void (*trim_)() noexcept;
  std::uint64_t trimmed_ = 0;  // what had moved then
  Nanos trimmed_at_;
  Nanos not_before_ = 0;
  std::uint64_t worked_ = 0;  // when it was looked at last
  Nanos looked_at_;
};

}  // namespace celadon::server
