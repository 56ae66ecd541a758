// What a turn holds back for its end leaves soon all the same: while a slice holds the
// loop, a native thread sends it. It sleeps where nothing has been held back of late.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>

#include "base/clock.h"
#include "loop/lookout.h"

namespace celadon::server {

class Server;

class Punctual final : private loop::Lookout::Sight {
 public:
  // The most that is held back while slices come back to the loop, and while one does
  // not. To look for the second costs a switch of threads each time.
  static constexpr Nanos kTurn = kMillisecond;
  static constexpr Nanos kHold = 5 * kMillisecond;

  explicit Punctual(Server& server) noexcept : server_(server) {}

  // Without it what is held back leaves when the loop turns.
  [[nodiscard]] std::expected<void, Error> start() noexcept;

  // --- the loop's thread ---

  // The first is held back.
  void begin(Nanos now) noexcept {
    begun_.store(begun_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    since_.store(now, std::memory_order_seq_cst);
    lookout_.tell();
  }
  // Nothing is, any more.
  void end() noexcept { since_.store(0, std::memory_order_relaxed); }
  // Whether the slices of this turn have taken so long that the loop sends it between
  // two.
  [[nodiscard]] bool is_over(Nanos now) const noexcept {
    return now - since_.load(std::memory_order_relaxed) > kTurn;
  }
  // After a fork, in the child.
  void abandon() noexcept { lookout_.abandon(); }

 private:
  // loop::Lookout::Sight
  [[nodiscard]] bool look() noexcept override;
  [[nodiscard]] Nanos until_next_look() const noexcept override;
  [[nodiscard]] bool is_empty() const noexcept override;
  // What was held back since then is not sent.
  [[nodiscard]] bool waits(Nanos since) const noexcept {
    return since != 0 && since != sent_of_;
  }
  void send(Nanos since) noexcept;
  [[nodiscard]] Nanos now() const noexcept;

  static constexpr Nanos kRetry = 100 * kMicrosecond;  // the loop's thread was in

  Server& server_;
  std::atomic<std::uint64_t> begun_{0};  // how often something was held back
  std::atomic<Nanos> since_{0};          // when the first was held back; 0: nothing is
  // Of its thread: what it has seen of the one, and sent of the other.
  std::uint64_t seen_ = 0;
  Nanos sent_of_ = 0;
  loop::Lookout lookout_{*this};  // the last: it uses all of these
};

}  // namespace celadon::server
