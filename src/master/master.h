// The process that keeps the listening sockets and the workers. It speaks no HTTP.
//
//   signals, ends of children, control pipes ─► Roster ─► fork, signal
//
// Callbacks only note what happened. Forking is left to run()'s own frame, so that a
// child has nothing of the loop above it and simply returns.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "loop/loop.h"
#include "loop/signals.h"
#include "master/admin_link.h"
#include "master/commons.h"
#include "master/hooks.h"
#include "master/log_heir.h"
#include "master/roster.h"
#include "master/vigil.h"
#include "net/listener.h"
#include "net/owned_fd.h"

namespace celadon::master {

// What run() returned to: a new worker, or the master that is done.
struct Outcome {
  bool is_worker = false;
  int status = 0;  // of the master: what to exit with
  int slot = 0;    // of the worker: its place, 0, 1 ...
  // Its end of a pair to the master, who reads one byte once it serves. End-of-file on
  // it means that the master is gone.
  net::OwnedFd control;
};

// When a worker is taken for lost, or is to be replaced; 0 turns each off.
struct Watch {
  Nanos drain_delay = 0;         // from SIGTERM on, while readiness fails already
  Nanos alive_period = 0;        // how often Hooks::alive() is called
  Nanos timeout = 30 * kSecond;  // its loop does not turn
  std::uint64_t max_rss = 0;     // bytes of memory: it is replaced
  std::uint64_t kill_rss = 0;    // likewise: it ends at once
};

inline constexpr int kNoWorkerBoots = 3;
// What a worker exits with to tell why it does not boot: 1 error, 2 usage, 4 no app.
inline constexpr int kLastStatus = 4;

class Master final : public loop::SignalHandler,
                     private loop::Timer,
                     private AdminLink::Commands {
 public:
  // `commons` has as many slots as `limits`.
  Master(Hooks& hooks, LogSink& log, Commons& commons, int workers,
         const Limits& limits, const Watch& watch, LogHeir heir) noexcept;
  ~Master() override;

  void add_listener(net::ListenSocket socket) {
    listeners_.push_back(std::move(socket));
  }
  [[nodiscard]] std::vector<net::ListenSocket>& listeners() noexcept {
    return listeners_;
  }
  // From now on, for what is to come: within Hooks::reload().
  void configure(const Limits& limits, const Watch& watch) noexcept;
  void set_heir(LogHeir heir) noexcept { heir_ = std::move(heir); }
  // The next workers do not accept there; it closes once no worker does. False: there
  // is none that describes itself so.
  [[nodiscard]] bool retire_listener(std::string_view described) noexcept;
  // That is taken back. False: it is closed by now.
  [[nodiscard]] bool retake_listener(std::string_view described) noexcept;
  // Its next one has the settings of now.
  void renew_admin() noexcept;
  // From run() on there is an admin process, by Hooks::serve_admin.
  void want_admin() noexcept { admin_at_ = 0; }
  [[nodiscard]] loop::Loop& loop() noexcept { return *loop_; }

  [[nodiscard]] Outcome run() noexcept;

 private:
  class Control;

  void on_signal(int signo) noexcept override;
  void on_timer() noexcept override {}  // run() looks what is due
  void reap() noexcept;
  void reap_from(pid_t which) noexcept;
  void on_end(pid_t pid, Exit how) noexcept;
  void look_at_workers() noexcept;
  void look_at_pulse(const WorkerProcess& worker) noexcept;
  void forward_mail() noexcept;
  void tell_settled() noexcept;
  void tell_alive() noexcept;
  void close_retired() noexcept;
  void weigh_workers() noexcept;
  void weigh(Control& control) noexcept;
  void begin_stop(bool quick) noexcept;
  void stop_now(bool quick) noexcept;
  bool reload() noexcept;
  void look_at_reload(std::string_view why) noexcept;
  void take_back() noexcept;
  void note_reload(metrics::Reload how, std::string_view why) noexcept;
  void end_reload(metrics::Reload how, std::string_view why) noexcept;
  // Commands (commands.cc)
  [[nodiscard]] std::string obey(std::uint64_t question,
                                 std::string_view words) noexcept override;
  [[nodiscard]] std::string obey_reload(std::uint64_t question) noexcept;
  [[nodiscard]] std::string obey_workers(std::string_view words) noexcept;
  [[nodiscard]] std::string obey_level(std::string_view name) noexcept;
  void resize(int by) noexcept;
  void want(int workers) noexcept;
  void signal_all(int signo) const noexcept;
  void hurry() const noexcept;
  void tell_to_stop(pid_t pid, bool quick) const noexcept;
  // True in a new worker, whose outcome is then filled.
  [[nodiscard]] bool act(Outcome& outcome) noexcept;
  [[nodiscard]] bool spawn(int slot, Outcome& outcome) noexcept;
  void let_go() noexcept;
  void become_worker(int slot, net::OwnedFd control, Outcome& outcome) noexcept;
  void spawn_admin() noexcept;
  void on_admin_end(Exit how) noexcept;
  void on_ready(pid_t pid) noexcept;
  void on_word(pid_t pid, char word) noexcept;
  void recycle(pid_t pid, Why why, std::string_view said) noexcept;
  [[nodiscard]] std::string name_requests(int slot, std::uint64_t count);
  void info(const std::string& line);
  void complain(Level level, const std::string& line);
  void note(std::string_view line) noexcept;
  void tell_listeners() noexcept;

  Hooks& hooks_;
  LogSink& log_;
  Commons& commons_;
  Watch watch_;
  LogHeir heir_;
  SystemClock clock_;
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<loop::Signals> signals_;
  Roster roster_;
  Vigil vigil_;
  metrics::TextRing events_;
  Nanos weigh_at_ = kNever;
  Nanos stop_at_ = kNever;  // drain_delay ends
  AdminLink admin_;
  pid_t admin_pid_ = 0;
  Nanos admin_at_ = kNever;  // when the next one is made
  Nanos admin_began_ = 0;
  bool admin_renewed_ = false;
  Nanos alive_at_ = kNever;
  std::vector<net::ListenSocket> listeners_;
  std::vector<net::ListenSocket> retired_;
  std::vector<std::unique_ptr<Control>> controls_;
  bool quick_ = false;
  bool settled_ = false;
  int wanted_before_ = 0;  // what a reload goes back to that fails
  int level_before_ = 0;
  std::string refusal_;  // what was wrong with the configuration last
  std::vector<std::uint64_t> reload_askers_;  // whom its end is told
  int status_ = 0;
};

}  // namespace celadon::master
