// What holds a loop: told by the watchdog's thread while it lasts, and by the loop's
// own once it is over.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace celadon::green {

// Who keeps what is told. Each call is made by one thread at a time.
class HeldSink {
 public:
  virtual ~HeldSink() = default;
  // A slice has lasted for `held` at `place`, whose frames are in `stack`.
  virtual void on_held(std::string_view place, std::string_view stack,
                       Nanos held) noexcept = 0;
  // The slice that was told of last is over: it lasted for `length` in all, `before` of
  // which were told.
  virtual void on_released(Nanos before, Nanos length) noexcept = 0;
};

class HeldSlice {
 public:
  // The watchdog's: it has looked at the slice that began then.
  void sampled(Nanos began, Nanos held, std::string place,
               std::string_view stack) noexcept;
  // Likewise: the log has a line of it, so it gets one of its end.
  void set_logged() noexcept;
  // Likewise: who it is, as far as that is known yet.
  [[nodiscard]] std::string holder() noexcept;
  void set_sink(HeldSink* sink) noexcept;

  // The loop's: whether there is anything to end. Cheap.
  [[nodiscard]] bool pending() const noexcept {
    return pending_.load(std::memory_order_relaxed);
  }
  // Who runs, before that is forgotten: the first that is named once it was looked at.
  void set_holder(std::string who) noexcept;
  // Likewise, while it is looked at.
  void set_seen(std::string who) noexcept;
  // After a fork, in the child: the watchdog is the parent's, and may have been at it.
  void abandon() noexcept;
  // Returns what to log; empty: nothing.
  [[nodiscard]] std::string released(Nanos began, Nanos now) noexcept;

 private:
  std::mutex mutex_;
  std::atomic<bool> pending_{false};
  HeldSink* sink_ = nullptr;  // what follows is guarded by mutex_
  Nanos began_ = 0;
  Nanos held_ = 0;
  bool logged_ = false;
  std::string place_;
  std::string who_;
  std::string seen_;  // who that is to be
};

}  // namespace celadon::green
