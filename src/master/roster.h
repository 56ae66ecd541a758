// Which workers there are, which there should be, and so what to do next. No system
// call and no clock: whoever asks says what time it is.
//
//   spawn ─► Booting ─► Ready ─► Retiring ─► (reaped)
//               └──────────┴─────────────────► (reaped: maybe a pause in its slot)
//
// A reload makes all workers old; recycling, one of them. New ones are spawned,
// `reload_surge` more than wanted at most, and each that is ready retires an old one.
// Until the last old one is retired a reload can fail: then the old ones are current
// again, and those that it has made are the old ones.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <random>
#include <vector>

#include "base/clock.h"

namespace celadon::master {

enum class Phase : std::uint8_t { Booting, Ready, Retiring };

// Why a worker ends that was told to.
enum class Why : std::uint8_t {
  Unasked,
  Fewer,  // are wanted, or none
  Reload,
  Hook,  // of the user's has said so
  Requests,
  Lifetime,
  Memory,
  Stubborn,
  Stuck,
};

struct WorkerProcess {
  pid_t pid;
  int slot;
  unsigned generation;
  Phase phase;
  Nanos spawned_at;
  Nanos recycle_at = kNever;  // when it has lived for long enough
  Nanos kill_at = kNever;     // once it was told to end, or does not boot
  Nanos stopped_at = 0;       // by a signal such as SIGSTOP; 0: it runs
  bool doomed = false;        // its loop is stuck: it was told to abort
  bool killed = false;
  Why why = Why::Unasked;
};

struct Limits {
  Nanos startup_timeout = 60 * kSecond;   // 0: none
  Nanos graceful_timeout = 30 * kSecond;  // 0: none
  Nanos backoff = 500 * kMillisecond;
  Nanos backoff_max = 30 * kSecond;
  int reload_surge = 1;
  Nanos max_lifetime = 0;  // of a worker, then it is replaced; 0: none
  Nanos max_lifetime_jitter = 0;
  std::size_t slots = 1024;  // there is room for so many, old and new together
};

// How a process ended, as waitpid tells it.
struct Exit {
  int status;  // exit status, or the signal's number
  bool by_signal;
};

// What an end means.
enum class Ended : std::uint8_t {
  Unknown,     // not a worker
  Planned,     // it was told to
  Lost,        // it goes on with another one
  BootFailed,  // as all others have, before any was ever ready: there is no use in
               // going on
};

struct Step {
  enum class Kind : std::uint8_t { Nothing, Spawn, Retire, Kill } kind = Kind::Nothing;
  pid_t pid = 0;  // whom to retire or kill
  int slot = 0;   // where to spawn
};

class Roster {
 public:
  Roster(int wanted, const Limits& limits) noexcept
      : limits_(limits), wanted_(wanted), random_(std::random_device{}()) {}

  // For what comes from now on; the room stays what it is.
  void set_limits(const Limits& limits) noexcept {
    const std::size_t slots = limits_.slots;
    limits_ = limits;
    limits_.slots = slots;
  }
  [[nodiscard]] int wanted() const noexcept { return wanted_; }
  void resize(int wanted) noexcept { wanted_ = wanted; }
  void reload() noexcept;
  // From now on nobody is wanted; the second time, nor given much time.
  void stop(Nanos now) noexcept;
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }

  // What has happened.
  void spawned(pid_t pid, int slot, Nanos now);
  void not_spawned(int slot, Nanos now) noexcept;
  // False: no such worker.
  bool ready(pid_t pid) noexcept;
  [[nodiscard]] Ended ended(pid_t pid, Exit how, Nanos now) noexcept;
  // The kernel stopped or continued it.
  void stopped(pid_t pid, Nanos now) noexcept;
  void continued(pid_t pid) noexcept;
  // It serves on until another one is ready to take its place, one at a time.
  // False: it is on its way already.
  bool recycle(pid_t pid, Why why) noexcept;
  // It ends now, within `grace`, and another one comes in its place.
  void retire_now(pid_t pid, Nanos grace, Nanos now) noexcept;
  // It was told to abort, and is not given much time.
  void doom(pid_t pid, Nanos now) noexcept;

  // The first thing to do now. Whoever asks does it, and asks again.
  [[nodiscard]] Step next(Nanos now) noexcept;
  // When there may be something to do without anything happening; kNever.
  [[nodiscard]] Nanos due() const noexcept;

  [[nodiscard]] const std::vector<WorkerProcess>& workers() const noexcept {
    return workers_;
  }
  // Null where there is none.
  [[nodiscard]] const WorkerProcess* worker(pid_t pid) const noexcept;
  // The place of a worker; 0 where there is none.
  [[nodiscard]] int slot_of(pid_t pid) const noexcept;
  [[nodiscard]] unsigned generation() const noexcept { return generation_; }
  [[nodiscard]] bool reloading() const noexcept;
  // A reload may fail still.
  [[nodiscard]] bool reload_is_open() const noexcept { return reload_is_open_; }
  // Whether so many workers find a slot, beside old ones that a reload replaces.
  [[nodiscard]] bool has_room_for(int workers) const noexcept {
    const auto wanted = static_cast<std::size_t>(workers);
    return wanted + static_cast<std::size_t>(limits_.reload_surge) <= limits_.slots;
  }
  // One has failed, and what it has made is not replaced yet.
  [[nodiscard]] bool undoing() const noexcept { return undoing_; }
  // A worker of this generation serves, and no old one is left to be replaced.
  [[nodiscard]] bool settled() const noexcept {
    return !reloading() && serving(true, true) > 0;
  }
  // True once after a reload failed: the old workers stay.
  [[nodiscard]] bool take_failed_reload() noexcept;

 private:
  struct Slot {
    Nanos pause = 0;
    Nanos not_before = 0;
    int short_lives = 0;
  };

  static constexpr Nanos kHealthy = 60 * kSecond;
  static constexpr int kShortLives = 3;
  static constexpr Nanos kBesideGrace = 5 * kSecond;  // for what follows the drain
  static constexpr Nanos kQuick = 2 * kSecond;

  [[nodiscard]] WorkerProcess* find(pid_t pid) noexcept;
  [[nodiscard]] int serving(bool current, bool only_ready) const noexcept;
  [[nodiscard]] WorkerProcess* oldest(bool current) noexcept;
  [[nodiscard]] WorkerProcess& surplus() noexcept;
  [[nodiscard]] bool is_slot_used(int slot) const noexcept;
  [[nodiscard]] Slot& slot_at(int slot);
  [[nodiscard]] int missing() const noexcept;
  [[nodiscard]] Step kill_overdue(Nanos now) noexcept;
  void recycle_aged(Nanos now) noexcept;
  [[nodiscard]] Step retire(WorkerProcess& worker, Nanos now) noexcept;
  [[nodiscard]] Step spawn_one(Nanos now) noexcept;
  void pause_slot(int slot, Nanos now) noexcept;
  void note_end(const WorkerProcess& worker, Exit how, Nanos now) noexcept;
  void give_up_reload() noexcept;

  Limits limits_;
  int wanted_;
  unsigned generation_ = 1;
  bool stopping_ = false;
  bool ever_ready_ = false;
  bool failed_reload_ = false;
  bool reload_is_open_ = false;
  bool undoing_ = false;
  std::minstd_rand random_;
  std::vector<WorkerProcess> workers_;  // the oldest first
  std::vector<Slot> slots_;
};

}  // namespace celadon::master
