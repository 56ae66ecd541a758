#include "master/master.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "loop/signals_blocked.h"
#include "master/ending.h"
#include "master/process_info.h"
#include "metrics/balance.h"

namespace celadon::master {
namespace {

constexpr int kSignals[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,   SIGUSR1,
                            SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH, SIGCHLD};

constexpr Nanos kWeighPeriod = 5 * kSecond;
constexpr int kHeavySamples = 3;  // in a row: a peak is no leak
constexpr Nanos kGraceOfHeavy = 5 * kSecond;

double seconds_of(const timeval& time) noexcept {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

bool move_one(std::string_view described, std::vector<net::ListenSocket>& from,
              std::vector<net::ListenSocket>& to) noexcept {
  const auto at = std::ranges::find_if(from, [&](const net::ListenSocket& each) {
    return each.describe() == described;
  });
  if (at == from.end()) return false;
  to.push_back(std::move(*at));
  from.erase(at);
  return true;
}

std::string name_of(pid_t pid) {
  return "worker " + std::to_string(pid);
}

}  // namespace

// The master's end of a worker's pair.
class Master::Control final : public loop::IoHandler {
 public:
  Control(Master& master, pid_t pid, net::OwnedFd fd) noexcept
      : master_(master), pid_(pid), fd_(std::move(fd)) {}
  ~Control() override {
    if (fd_) master_.loop_->poller().remove(fd_.get(), *this);
  }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  int heavy = 0;  // samples in a row that were above max_rss
  [[nodiscard]] bool watch() noexcept {
    return master_.loop_->watch(fd_.get(), loop::kRead, *this).has_value();
  }
  void say(char word) const noexcept {
    static_cast<void>(::send(fd_.get(), &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
  }
  // In a child: the descriptors are closed, the parent's poller is not touched.
  void abandon() noexcept { fd_.close(); }

 private:
  void on_io(std::uint8_t) noexcept override {
    char byte = 0;
    const ssize_t n = ::recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
    if (n == 1) return master_.on_word(pid_, byte);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // The worker ends; the signal of its end follows.
    master_.loop_->poller().remove(fd_.get(), *this);
    fd_.close();
  }

  Master& master_;
  pid_t pid_;
  net::OwnedFd fd_;
};

Master::Master(Hooks& hooks, LogSink& log, Commons& commons, int workers,
               const Limits& limits, const Watch& watch, LogHeir heir) noexcept
    : hooks_(hooks),
      log_(log),
      commons_(commons),
      watch_(watch),
      heir_(std::move(heir)),
      loop_(std::make_unique<loop::Loop>(loop::make_epoll_poller(), clock_)),
      roster_(workers, limits),
      vigil_(watch.timeout),
      events_(commons.slab().events()),
      admin_(*loop_, *this) {
  configure(limits, watch);
}

void Master::configure(const Limits& limits, const Watch& watch) noexcept {
  watch_ = watch;
  roster_.set_limits(limits);
  vigil_.set_timeout(watch.timeout);
  weigh_at_ = watch.max_rss > 0 || watch.kill_rss > 0 ? 0 : kNever;
  alive_at_ = watch.alive_period > 0 ? 0 : kNever;
}

bool Master::retire_listener(std::string_view described) noexcept {
  return move_one(described, listeners_, retired_);
}

bool Master::retake_listener(std::string_view described) noexcept {
  return move_one(described, retired_, listeners_);
}

// An old worker may accept until it has heard that it is to end.
void Master::close_retired() noexcept {
  if (retired_.empty() || !settled_) return;
  const bool accepted =
      std::ranges::any_of(roster_.workers(), [this](const WorkerProcess& worker) {
        return worker.phase == Phase::Retiring &&
               commons_.slot(worker.slot).state.load() != metrics::SlotState::Draining;
      });
  if (!accepted) retired_.clear();
}

Master::~Master() = default;

Outcome Master::run() noexcept {
  signals_ = std::make_unique<loop::Signals>(*loop_, *this);
  for (const int signo : kSignals) signals_->watch(signo);
  metrics::Summary& summary = commons_.slab().summary();
  summary.master.store(::getpid(), std::memory_order_relaxed);
  summary.started_at.store(loop_->fresh_now(), std::memory_order_relaxed);
  summary.started_wall.store(
      static_cast<double>(clock_.wall()) / static_cast<double>(kSecond),
      std::memory_order_relaxed);
  Outcome outcome;
  while (true) {
    loop_->fresh_now();
    look_at_workers();
    if (stop_at_ <= loop_->now()) stop_now(false);
    if (admin_at_ <= loop_->now()) spawn_admin();
    if (act(outcome)) return outcome;
    tell_settled();
    tell_alive();
    close_retired();
    if (roster_.stopping() && roster_.workers().empty()) break;
    Timer::cancel();
    const Nanos due = std::min(
        {roster_.due(), vigil_.due(), weigh_at_, stop_at_, admin_at_, alive_at_});
    if (due != kNever) loop_->arm(*this, std::max(due, loop_->now()));
    loop_->turn(kNever);
    loop_->settle();
  }
  Timer::cancel();
  admin_.close();  // that process ends by itself
  signals_.reset();
  listeners_.clear();
  outcome.status = status_;
  return outcome;
}

// --- what happens ---

void Master::on_signal(int signo) noexcept {
  switch (signo) {
    case SIGCHLD: return reap();
    case SIGHUP: static_cast<void>(reload()); return;
    case SIGTTIN: return resize(1);
    case SIGTTOU: return resize(-1);
    case SIGUSR1: hooks_.reopen_logs(); return signal_all(SIGUSR1);
    case SIGTERM: return begin_stop(false);
    case SIGINT:
    case SIGQUIT: return begin_stop(true);
    case SIGUSR2:
      log_.log(Level::Warning,
               "SIGUSR2 is ignored: use SIGHUP, or socket activation, to renew it");
      return;
    default: return;  // a terminal's SIGWINCH
  }
}

// Other children are the program's, which may wait for them. But those that nobody has
// come to process 1.
void Master::reap() noexcept {
  constexpr pid_t kAny = -1;
  if (::getpid() == 1) return reap_from(kAny);
  std::vector<pid_t> own;
  for (const WorkerProcess& worker : roster_.workers()) own.push_back(worker.pid);
  if (admin_pid_ != 0) own.push_back(admin_pid_);
  for (const pid_t pid : own) reap_from(pid);
}

void Master::reap_from(pid_t which) noexcept {
  int status = 0;
  constexpr int kOptions = WNOHANG | WUNTRACED | WCONTINUED;
  rusage used{};
  for (pid_t pid = ::wait4(which, &status, kOptions, &used); pid > 0;
       pid = ::wait4(which, &status, kOptions, &used)) {
    if (WIFSTOPPED(status)) {
      roster_.stopped(pid, loop_->fresh_now());
      continue;
    }
    if (WIFCONTINUED(status)) {
      roster_.continued(pid);
      continue;
    }
    commons_.slab().summary().deeds.cpu_of_dead +=
        seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
    const bool by_signal = WIFSIGNALED(status);
    on_end(pid, {by_signal ? WTERMSIG(status) : WEXITSTATUS(status), by_signal});
  }
}

void Master::on_end(pid_t pid, Exit how) noexcept {
  if (pid == admin_pid_) return on_admin_end(how);
  const int slot = roster_.slot_of(pid);
  metrics::Deeds& deeds = commons_.slab().summary().deeds;
  if (const WorkerProcess* worker = roster_.worker(pid)) {
    ++deeds.endings[static_cast<std::size_t>(ending_of(*worker, how))];
  }
  const Ended ended = roster_.ended(pid, how, loop_->now());
  if (ended == Ended::Unknown) return;  // an orphan that came to process 1
  const std::uint64_t requests = commons_.slot(slot).gauges[metrics::gauge::kInFlight];
  deeds.lost += requests;
  const std::string last_words = commons_.slot(slot).last_words.get();
  const std::string lost = requests > 0 ? name_requests(slot, requests) : "";
  commons_.slab().take_back(slot);
  heir_.inherit(commons_.ring(slot), log_);
  commons_.forward(slot, loop_->now());
  std::erase_if(controls_,
                [pid](const auto& control) { return control->pid() == pid; });
  hooks_.worker_gone(pid);
  std::string line = name_of(pid) + " " + describe(how);
  if (!lost.empty()) line += ", with " + lost;
  if (ended == Ended::Planned) return info(line);
  complain(Level::Error, line);
  look_at_reload(last_words.empty() ? line : last_words);
  if (ended != Ended::BootFailed || roster_.stopping()) return;
  complain(Level::Critical, "no worker boots: stopping");
  status_ = !how.by_signal && how.status > 0 && how.status <= kLastStatus
                ? how.status
                : kNoWorkerBoots;
  quick_ = true;
  roster_.stop(loop_->now());
}

// As far as the worker has noted them.
std::string Master::name_requests(int slot, std::uint64_t count) {
  std::string text = std::to_string(count) + (count == 1 ? " request" : " requests");
  std::uint64_t named = 0;
  for (const std::string& each : commons_.slot(slot).under_way.lines()) {
    text += (named++ == 0 ? ": " : ", ") + escape_for_log(each);
  }
  if (named > 0 && named < count) text += " and others";
  return text;
}

void Master::info(const std::string& line) {
  log_.log(Level::Info, line);
  note(line);
}

void Master::complain(Level level, const std::string& line) {
  log_.log(level, line);
  note(line);
}

// What the dashboard shows of the past.
void Master::note(std::string_view line) noexcept {
  events_.put(line, static_cast<double>(clock_.wall()) / static_cast<double>(kSecond));
}

void Master::on_ready(pid_t pid) noexcept {
  if (!roster_.ready(pid)) return;
  info(name_of(pid) + " is ready");
}

// What a worker says of itself.
void Master::on_word(pid_t pid, char word) noexcept {
  switch (word) {
    case 'R': return on_ready(pid);
    case 'M': return recycle(pid, Why::Requests, "has served max_requests");
    case 'A': return recycle(pid, Why::Hook, "is told by a hook to end");
    case 'D': return recycle(pid, Why::Stubborn, "has a request that does not end");
    default: return;
  }
}

void Master::recycle(pid_t pid, Why why, std::string_view said) noexcept {
  if (!roster_.recycle(pid, why)) return;
  info(name_of(pid) + " " + std::string(said) + ": another one takes its place");
}

// --- who is well ---

void Master::look_at_workers() noexcept {
  const Nanos now = loop_->now();
  if (vigil_.due() <= now) {
    vigil_.begin(now);
    forward_mail();
    for (const WorkerProcess& worker : roster_.workers()) {
      if (worker.phase != Phase::Booting && !worker.doomed) look_at_pulse(worker);
    }
  }
  if (weigh_at_ <= now) {
    weigh_at_ = now + kWeighPeriod;
    weigh_workers();
  }
}

// Connections that were on their way to a worker that is gone, or whose loop is held.
void Master::forward_mail() noexcept {
  const Nanos now = loop_->now();
  const auto slots = commons_.slab().slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].coming.load(std::memory_order_relaxed) <= 0) continue;
    const bool reads = slots[i].state.load() != metrics::SlotState::Free;
    if (!reads || metrics::is_held(slots[i], now)) commons_.forward(i, now);
  }
}

void Master::look_at_pulse(const WorkerProcess& worker) noexcept {
  const Nanos slice = commons_.slot(worker.slot).pulse.load(std::memory_order_relaxed);
  const Nanos silent = vigil_.silent_for(slice, worker.stopped_at, loop_->now());
  if (silent == 0) return;
  // The worker's watchdog has reported the stack long ago; a stopped one has not.
  complain(Level::Critical, name_of(worker.pid) + " does not answer for " +
                                std::to_string(silent / kSecond) +
                                " s and is aborted: " + describe_state(worker.pid));
  ::kill(worker.pid, SIGABRT);
  roster_.doom(worker.pid, loop_->now());
}

void Master::weigh_workers() noexcept {
  for (const auto& control : controls_) weigh(*control);
}

void Master::weigh(Control& control) noexcept {
  const std::uint64_t bytes = resident_bytes(control.pid());
  const std::string is = "is at " + std::to_string(bytes >> 20) + " MiB of memory";
  if (watch_.kill_rss > 0 && bytes > watch_.kill_rss) {
    complain(Level::Error, name_of(control.pid()) + " " + is + " and ends now");
    roster_.retire_now(control.pid(), kGraceOfHeavy, loop_->now());
    tell_to_stop(control.pid(), false);
    return;
  }
  control.heavy = watch_.max_rss > 0 && bytes > watch_.max_rss ? control.heavy + 1 : 0;
  if (control.heavy >= kHeavySamples) recycle(control.pid(), Why::Memory, is);
}

// Said once after the start and after each reload.
void Master::tell_settled() noexcept {
  if (settled_ || roster_.stopping() || !roster_.settled()) return;
  settled_ = true;
  tell_listeners();
  end_reload(metrics::Reload::Done, {});  // before the admin process is renewed
  hooks_.settled();
}

// For whoever asks the kernel how many wait there.
void Master::tell_listeners() noexcept {
  auto& entries = commons_.slab().summary().listeners;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    metrics::ListenerEntry& entry = entries[i];
    entry.inode.store(0, std::memory_order_release);
    if (i >= listeners_.size()) continue;
    struct stat status{};
    if (::fstat(listeners_[i].fd(), &status) < 0) continue;
    entry.name.fill('\0');
    const std::string name = listeners_[i].describe();
    name.copy(entry.name.data(), entry.name.size() - 1);
    entry.inode.store(status.st_ino, std::memory_order_release);
  }
}

void Master::tell_alive() noexcept {
  if (alive_at_ > loop_->now()) return;
  alive_at_ = loop_->now() + watch_.alive_period;
  if (!metrics::hangs(commons_.slab(), watch_.timeout, loop_->now())) hooks_.alive();
}

// --- what is done ---

// Twice: a signal ends one that imports for ever, but the application may take it; a
// word waits until the worker serves.
void Master::tell_to_stop(pid_t pid, bool quick) const noexcept {
  // The signal first: behind the word it could meet one that has served to its end, and
  // is about to say its last words.
  ::kill(pid, quick ? SIGQUIT : SIGTERM);
  for (const auto& control : controls_) {
    if (control->pid() == pid) control->say(quick ? 'Q' : 'T');
  }
}

bool Master::act(Outcome& outcome) noexcept {
  while (true) {
    const Step step = roster_.next(loop_->now());
    switch (step.kind) {
      case Step::Kind::Nothing: return false;
      case Step::Kind::Spawn:
        if (spawn(step.slot, outcome)) return true;
        break;
      case Step::Kind::Retire: tell_to_stop(step.pid, quick_); break;
      case Step::Kind::Kill:
        complain(Level::Error, name_of(step.pid) + " is killed: it took too long");
        ::kill(step.pid, SIGKILL);
        break;
    }
  }
}

bool Master::spawn(int slot, Outcome& outcome) noexcept {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    const std::string why = std::string("no worker can be made: ") + ::strerror(errno);
    complain(Level::Error, why);
    roster_.not_spawned(slot, loop_->now());
    look_at_reload(why);
    return false;
  }
  net::OwnedFd mine(ends[0]);
  net::OwnedFd theirs(ends[1]);
  // One that comes to the child before it has handlers of its own must not be lost.
  const loop::SignalsBlocked blocked;
  commons_.slab().lease(slot, loop_->fresh_now());
  const pid_t pid = hooks_.fork();
  if (pid == 0) {
    mine.close();
    become_worker(slot, std::move(theirs), outcome);
    return true;
  }
  if (pid < 0) {
    commons_.slab().take_back(slot);
    roster_.not_spawned(slot, loop_->now());
    look_at_reload("no worker can be made: the log says why");
    return false;
  }
  roster_.spawned(pid, slot, loop_->fresh_now());
  ++commons_.slab().summary().deeds.spawned;
  controls_.push_back(std::make_unique<Control>(*this, pid, std::move(mine)));
  if (!controls_.back()->watch()) complain(Level::Error, "a worker cannot be watched");
  return false;
}

void Master::become_worker(int slot, net::OwnedFd control, Outcome& outcome) noexcept {
  outcome.is_worker = true;
  outcome.slot = slot;
  outcome.control = std::move(control);
  for (net::ListenSocket& socket : retired_) socket.abandon();
  retired_.clear();
  let_go();
}

// In a child: of everything that is the master's. The listening sockets stay.
void Master::let_go() noexcept {
  signals_.reset();
  loop_->abandon();
  admin_.abandon();
  for (const auto& each : controls_) each->abandon();
  controls_.clear();
}

}  // namespace celadon::master
