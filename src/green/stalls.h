// Greenlets that wait for a lock without a time limit, and for long: who holds it, and
// whether that can ever end. Looked at only while somebody waits so.
#pragma once

#include <string>

#include "loop/timers.h"

namespace celadon::green {

class Hub;
class Strand;

class Stalls final : public loop::Timer {
 public:
  explicit Stalls(Hub& hub) noexcept : hub_(hub) {}
  // Somebody begins such a wait.
  void on_wait() noexcept {
    if (!armed()) start();
  }

 private:
  void on_timer() noexcept override;
  void start() noexcept;
  void report(const Strand& strand) noexcept;
  [[nodiscard]] const Strand* holder_of(const Strand& strand) const noexcept;
  [[nodiscard]] std::string describe_cycle(const Strand& first) const;

  static constexpr Nanos kLong = 10 * kSecond;

  Hub& hub_;
  Nanos told_ = 0;  // waits that began before that have been told of
};

}  // namespace celadon::green
