// Time as the core sees it. Durations and points of the monotonic clock are signed
// nanoseconds. Tests drive a ManualClock; nothing else may invent time.
#pragma once

#include <cstdint>

namespace celadon {

using Nanos = std::int64_t;
inline constexpr Nanos kNever = INT64_MAX;
inline constexpr Nanos kMicrosecond = 1'000;
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic nanoseconds.
  [[nodiscard]] virtual Nanos now() noexcept = 0;
  // Nanoseconds since 1970-01-01 UTC.
  [[nodiscard]] virtual Nanos wall() noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Nanos now() noexcept override;
  [[nodiscard]] Nanos wall() noexcept override;
};

class ManualClock final : public Clock {
 public:
  [[nodiscard]] Nanos now() noexcept override { return now_; }
  [[nodiscard]] Nanos wall() noexcept override { return kEpoch + now_; }
  void advance(Nanos by) noexcept { now_ += by; }

 private:
  static constexpr Nanos kEpoch = 784'111'777 * kSecond;  // RFC 9110's example date
  Nanos now_ = 1'000 * kSecond;
};

}  // namespace celadon
