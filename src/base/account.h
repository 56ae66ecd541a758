// Where the time of a piece of work went: every moment of it belongs to one kind, so
// that the kinds add up to the whole (design §9).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace celadon {

enum class Spent : std::uint8_t {
  Running,
  Ready,   // it could have run, but for others
  Socket,  // from here on: parked
  Database,
  Lock,
  Sleep,
  Dns,
  Thread,
  Client,  // who sends a body, or takes an answer, slowly
};
inline constexpr std::array<std::string_view, 9> kSpentNames{
    "running", "ready", "socket", "db", "lock", "sleep", "dns", "thread", "client"};
inline constexpr std::size_t kSpentKinds = kSpentNames.size();

[[nodiscard]] constexpr std::string_view name_of(Spent kind) noexcept {
  return kSpentNames[static_cast<std::size_t>(kind)];
}
[[nodiscard]] constexpr bool is_parked(Spent kind) noexcept {
  return kind > Spent::Ready;
}

class Account {
 public:
  // One wait, for the log of slow requests.
  struct Wait {
    Spent kind = Spent::Socket;
    Nanos at = 0;                 // since the start
    Nanos length = 0;             // parked
    Nanos behind = 0;             // and then ready, until it ran
    std::array<char, 48> peer{};  // whom it waited for, where that is known
    [[nodiscard]] std::string_view peer_text() const noexcept { return peer.data(); }
  };
  static constexpr std::size_t kWaits = 32;  // that are remembered

  void begin(Nanos now) noexcept {
    kind_ = Spent::Running;
    begun_ = since_ = now;
    spent_.fill(0);
    waits_ = 0;
    list_.clear();
  }
  // From `at` on the time is that of `kind`.
  void turn(Spent kind, Nanos at) noexcept {
    at = std::max(at, since_);
    spent_[static_cast<std::size_t>(kind_)] += at - since_;
    since_ = at;
    kind_ = kind;
  }
  void park(Spent kind, Nanos at) noexcept {
    turn(kind, at);
    if (++waits_ <= kWaits) list_.push_back({.kind = kind, .at = since_ - begun_});
  }
  // Parked no more, since `at`: it waits for its turn.
  void ready(Nanos at) noexcept {
    const bool parked = is_parked(kind_);
    turn(Spent::Ready, at);
    if (parked && waits_ <= kWaits) {
      list_.back().length = since_ - begun_ - list_.back().at;
    }
  }
  void run(Nanos now) noexcept {
    if (is_parked(kind_)) ready(now);
    const Nanos before = since_;
    turn(Spent::Running, now);
    if (!list_.empty() && waits_ <= kWaits) list_.back().behind += since_ - before;
  }
  // The wait that has just ended; null where no more are remembered.
  [[nodiscard]] Wait* last() noexcept {
    return list_.empty() || waits_ > kWaits ? nullptr : &list_.back();
  }

  [[nodiscard]] Spent kind() const noexcept { return kind_; }
  [[nodiscard]] Nanos since() const noexcept { return since_; }
  [[nodiscard]] Nanos begun() const noexcept { return begun_; }
  // How long until `now`.
  [[nodiscard]] Nanos spent(Spent kind, Nanos now) const noexcept {
    const Nanos before = spent_[static_cast<std::size_t>(kind)];
    return kind == kind_ ? before + std::max<Nanos>(now - since_, 0) : before;
  }
  [[nodiscard]] Nanos parked(Nanos now) const noexcept {
    Nanos sum = 0;
    for (std::size_t i = 2; i < kSpentKinds; ++i) {
      sum += spent(static_cast<Spent>(i), now);
    }
    return sum;
  }
  // How often it waited, and the first of these.
  [[nodiscard]] std::size_t waits() const noexcept { return waits_; }
  [[nodiscard]] const std::vector<Wait>& list() const noexcept { return list_; }

 private:
  Spent kind_ = Spent::Running;
  Nanos begun_ = 0;
  Nanos since_ = 0;
  std::size_t waits_ = 0;
  std::array<Nanos, kSpentKinds> spent_{};
  std::vector<Wait> list_;
};

}  // namespace celadon
