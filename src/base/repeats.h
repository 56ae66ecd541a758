// What happens again and again at places that have names: each is told whole where it
// is new or much larger than any before, and what comes besides is counted.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/clock.h"

namespace celadon {

class Repeats {
 public:
  struct Rest {
    std::uint64_t count = 0;
    Nanos largest = 0;
    std::string place;  // of the largest
  };

  // Whether one of that size, at `place`, is to be told now. New places are told less
  // and less often, as each request of some applications has one.
  [[nodiscard]] bool is_news(std::string_view place, Nanos size, Nanos now);
  void told(std::string_view place, Nanos size, Nanos now);
  // The one that was told last has this size in the end. By any thread.
  void grew(Nanos size) noexcept;
  // One that is over and was not told.
  void passed_over(std::string_view place, Nanos size);
  // Once in a while, if there is any: what was passed over since the last time.
  [[nodiscard]] std::optional<Rest> rest(Nanos now);

 private:
  static constexpr Nanos kLeast = kSecond;      // between two that are told,
  static constexpr Nanos kMost = 60 * kSecond;  // and between two summaries
  static constexpr Nanos kForget = 60 * kMost;  // then all is new
  static constexpr std::size_t kPlaces = 1000;  // that are known, at the most

  std::unordered_set<std::string> known_;
  std::atomic<Nanos> largest_{0};
  Nanos told_at_ = 0;
  Nanos pause_ = kLeast;  // before the next one that is no larger
  Nanos began_ = 0;       // when nothing was known
  Nanos summed_at_ = 0;
  Rest rest_;
};

}  // namespace celadon
