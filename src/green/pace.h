// How long the slices of greenlets are these days.
#pragma once

#include "base/clock.h"

namespace celadon::green {

class Pace {
 public:
  void add(Nanos slice) noexcept {
    average_ += (slice - average_) / 16;
    if (slice > kHeavy) {
      heavy_for_ = kRemembered;
    } else if (heavy_for_ > 0) {
      --heavy_for_;
    }
  }
  // Whether what one slice has finished may wait for the slices behind it: none of them
  // takes long, and they are so long that whoever waits for us has gone to sleep in the
  // meantime. To wake it once for several answers saves the most of a send.
  [[nodiscard]] bool batches() const noexcept {
    return heavy_for_ == 0 && average_ > kLight;
  }

 private:
  static constexpr Nanos kLight = 10 * kMicrosecond;
  static constexpr Nanos kHeavy = 500 * kMicrosecond;
  static constexpr int kRemembered = 256;  // slices

  Nanos average_ = 0;
  int heavy_for_ = 0;
};

}  // namespace celadon::green
