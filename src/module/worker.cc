#include "module/worker.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iterator>
#include <new>
#include <random>
#include <utility>

#include "asgi/bridge.h"
#include "base/signal_name.h"
#include "module/listen.h"
#include "module/log_level.h"
#include "module/series_home.h"
#include "module/stdio_relay.h"
#include "py/error.h"
#include "wsgi/bridge.h"

namespace celadon::module {
namespace {

// stop() from another thread than the loop's.
class StopTask final : public loop::Task {
 public:
  StopTask(Worker& worker, bool quick) noexcept : worker_(worker), quick_(quick) {}
  void run() noexcept override { worker_.stop(quick_); }

 private:
  Worker& worker_;
  bool quick_;
};

template <class Struct, std::size_t kSize>
Struct& placed_in(std::array<std::uint64_t, kSize>& row) noexcept {
  static_assert(sizeof(Struct) <= sizeof row);
  return *::new (row.data()) Struct();
}

}  // namespace

Worker::Worker(green::Hub& hub, Options options, py::Object app,
               py::Object log_exception, py::Object log, py::Object access,
               py::Object notify, Seat* seat)
    : hub_(hub),
      options_(std::move(options)),
      log_(hub, std::move(log)),
      notices_(hub, std::move(notify)),
      seat_(seat) {
  if (access.get() != Py_None) {
    access_lines_ = std::make_unique<AccessLines>(hub, std::move(access));
  }
  if (seat_) {
    counts_ = &placed_in<WorkerCounts>(seat_->cells().counters);
    load_ = &placed_in<WorkerLoad>(seat_->cells().gauges);
  }
  // What they hold until a turn ends is to leave in it: their hooks are before the
  // server's.
  make_bridges(app, log_exception);
  server_ =
      seat
          ? std::make_unique<server::Server>(
                hub_.loop(), this->app(), options_.server, log_,
                server::Cells{counts_->server, load_->server, &seat->cells().under_way})
          : std::make_unique<server::Server>(hub_.loop(), this->app(), options_.server,
                                             log_);
  heap_.emplace(hub_.loop(), *server_);
  if (options_.metrics) {
    const metrics::TextRing slow =
        seat_ ? seat_->commons.slab().slow(seat_->slot) : metrics::TextRing();
    const std::size_t limit = options_.server.max_concurrent_requests;
    Hints hints(log_, hub_.loop(),
                limit > 0 ? limit : options_.server.worker_connections);
    meter_ = std::make_unique<RequestMeter>(series_home().writer(), slow,
                                            std::move(hints), options_.duration_bounds);
    server_->set_meter(meter_.get());
  }
  if (!options_.health_paths.empty()) {
    front_ = std::make_unique<HealthFront>(options_.health_paths, *server_,
                                           seat_ ? &seat_->commons.slab() : nullptr,
                                           fit_until(), options_.timeout);
    server_->set_front(front_.get());
  }
  if (seat_) bridges_.front()->set_cells(counts_->bridge, load_->bridge);
  for (const auto& each : bridges_) {
    if (each != bridges_.front()) each->count_with(*bridges_.front());
  }
  hub_.set_log(&log_);
  hub_.loop().add_hook(*this);
}

Worker::~Worker() {
  for (const auto& each : bridges_) each->abandon();
  hub_.set_log(nullptr);
}

void Worker::make_bridges(const py::Object& app,
                          const py::Object& log_exception) noexcept {
  const auto make = [&]<class Bridge>(const AppOptions& each) {
    gateway::Options own = options_.bridge;
    own.environ.mount = each.mount;
    own.environ.proxy_headers = each.proxy_headers;
    PyObject* callable = each.app ? each.app : app.get();
    bridges_.push_back(std::make_unique<Bridge>(hub_, py::Object::copy(callable),
                                                py::Object::copy(log_exception.get()),
                                                std::move(own), log_));
  };
  for (const AppOptions& each : options_.apps) {
    if (each.asgi) {
      make.operator()<asgi::Bridge>(each);
    } else {
      make.operator()<wsgi::Bridge>(each);
    }
  }
  if (bridges_.size() == 1) return;
  mounts_ = std::make_unique<gateway::Mounts>(*bridges_.front());
  for (const auto& each : bridges_) {
    if (each != bridges_.front()) mounts_->add(*each);
  }
}

server::App& Worker::app() noexcept {
  if (mounts_) return *mounts_;
  return *bridges_.front();
}

bool Worker::prepare(PyObject* errors, PyObject* make_socket) noexcept {
  for (std::size_t i = 0; i < bridges_.size(); ++i) {
    auto* asgi = dynamic_cast<asgi::Bridge*>(bridges_[i].get());
    auto* wsgi = dynamic_cast<wsgi::Bridge*>(bridges_[i].get());
    PyObject* state = options_.apps[i].asgi_state;
    if (asgi && !asgi->prepare(options_.asgi_loop, state)) return false;
    if (wsgi && !wsgi->prepare(errors, make_socket)) return false;
  }
  return open_tls() && open_access_log();
}

bool Worker::open_tls() noexcept {
  tls::Counters& counters = counts_ ? counts_->tls : own_tls_counts_;
  if (!make_ciphers(options_.tls, counters, hub_.loop().clock(), ciphers_))
    return false;
  server_->set_ciphers(ciphers_.get());
  return true;
}

bool Worker::open_access_log() noexcept {
  const int slot = seat_ ? static_cast<int>(seat_->slot) : 0;
  auto format = server::AccessFormat::make(options_.access_log_style,
                                           options_.access_log_format, slot);
  if (access_lines_) {
    server_->set_access_log(std::make_unique<server::AccessLog>(
        std::move(format), options_.access, *access_lines_));
    return true;
  }
  if (options_.access_log.empty()) return true;
  auto file = LineFile::open(options_.access_log, options_.stdout_fd);
  if (!file) {
    PyErr_Format(PyExc_OSError, "cannot open the access log %s: %s",
                 options_.access_log.c_str(), describe(file.error()).data());
    return false;
  }
  server_->set_access_log(std::make_unique<server::AccessLog>(
      std::move(format), options_.access, std::move(*file),
      seat_ ? seat_->commons.ring(seat_->slot) : LogRing()));
  if (server_->access_log()->burdens_loop()) {
    log_.log(Level::Warning,
             "no room for another thread: the loop writes the access log itself");
  }
  return true;
}

bool Worker::bind(std::string_view address, bool v6_only) noexcept {
  net::ListenOptions listen;
  listen.backlog = options_.backlog;
  listen.unix_mode = 0777 & ~options_.umask;
  listen.reuse_port = options_.reuse_port;
  listen.keepalive = options_.tcp_keepalive;
  listen.v6_only = v6_only;
  auto socket = open_listener(address, listen);
  if (!socket) return false;
  const auto added = server_->add_listener(std::move(*socket));
  if (!added) PyErr_SetString(PyExc_OSError, describe(added.error()).data());
  return added.has_value();
}

bool Worker::run(bool watch_signals) noexcept {
  green::Strand* strand = green::current_strand();
  if (!strand || !green::can_park()) {
    PyErr_SetString(PyExc_RuntimeError, "a server runs in the thread that made it");
    return false;
  }
  if (watch_signals) {
    signals_ = std::make_unique<loop::Signals>(hub_.loop(), *this);
    take_signals();
    green::WatchLimits watch = options_.watch;
    least_.store(from_python_level(options_.log_level), std::memory_order_relaxed);
    watch.least = &least_;
    if (seat_) watch.relief = this;
    hub_.watch(watch);
  } else if (options_.watch.preempt != kNever) {
    log_.log(Level::Warning, "preempt: only in the main thread, so it is off here");
  }
  server_->be_punctual();
  if (seat_ && !sit_down()) return false;
  draw_last_request();
  bool interrupted = false;
  waiting_ = strand;
  while (phase_ != Phase::Stopped) {
    strand->granted = false;
    const auto waited = hub_.park(*strand, kNever, green::ParkReason::Main, false);
    if (waited != green::Waited::Interrupted) continue;
    // A handler of the application's raised: stop, then let it through.
    interrupted = true;
    py::Object error = py::take_error();
    finish();
    py::restore_error(std::move(error));
  }
  waiting_ = nullptr;
  if (seat_) {
    hub_.keep_pulse();
    hub_.keep_cells();
    hub_.held().set_sink(nullptr);
    hub_.loop().keep_counters();
  }
  signals_.reset();
  hub_.unwatch();
  py::Object error = py::take_error();
  if (access_lines_) access_lines_->drain();
  log_.drain();
  py::restore_error(std::move(error));
  return !interrupted;
}

// The interpreter's own handlers are for it to call; those of C code (faulthandler's)
// only we can.
void Worker::take_signals() noexcept {
  struct sigaction interpreters{};
  const int known = options_.watch.preempt_signal;
  const bool told = known > 0 && ::sigaction(known, nullptr, &interpreters) == 0;
  for (const int signo : {SIGTERM, SIGINT, SIGQUIT, SIGUSR1}) {
    if (!told) {
      signals_->watch(signo);
    } else if (signals_->watch_beside(signo, interpreters.sa_handler)) {
      log_.log(Level::Warning, signal_name(signo) +
                                   " is the server's while it serves; the handler of "
                                   "C code is called beside it");
    }
  }
}

// Takes its place beside the other workers. False with an exception.
bool Worker::sit_down() noexcept {
  metrics::Slot& slot = seat_->cells();
  slot.pid.store(::getpid(), std::memory_order_relaxed);
  hub_.set_pulse(slot.pulse);
  hub_.set_cells(counts_->hub, load_->hub);
  hub_.loop().set_counters(counts_->loop);
  places_ = std::make_unique<HeldPlaces>(seat_->commons.slab().places(seat_->slot));
  hub_.held().set_sink(places_.get());
  colleagues_ = std::make_unique<Colleagues>(hub_.loop(), *seat_, *server_, *this);
  server_->set_peers(colleagues_.get());
  for (net::ListenSocket& socket : seat_->listeners) {
    if (const auto added = server_->add_listener(std::move(socket)); !added) {
      PyErr_SetString(PyExc_OSError, describe(added.error()).data());
      return false;
    }
  }
  seat_->listeners.clear();
  if (!colleagues_->start()) {
    PyErr_SetString(PyExc_OSError, "the worker's mailbox cannot be watched");
    return false;
  }
  // Not by the master, which may hear of it later: who is ready has started.
  seat_->commons.slab().summary().started.store(true, std::memory_order_relaxed);
  slot.state.store(metrics::SlotState::Ready, std::memory_order_release);
  ::prctl(PR_SET_PDEATHSIG, 0);  // the pair tells it as well, and nothing is lost
  control_ = std::make_unique<Control>(hub_.loop(), std::move(seat_->control), *this);
  if (!control_->start()) on_master_gone();
  return true;
}

void Worker::draw_last_request() noexcept {
  if (options_.max_requests == 0) return;
  std::random_device random;
  std::uniform_int_distribution<std::uint64_t> jitter(0, options_.max_requests_jitter);
  last_request_ = options_.max_requests + jitter(random);
}

// Our master is asked once for another worker; until that is ready this one serves on.
// Another master sees to it when this one has ended.
void Worker::recycle_if_due() noexcept {
  if (server_->counters().requests < last_request_) return;
  if (!control_) {
    log_.log(Level::Info, "has served max_requests: finishing requests");
    return stop(false);
  }
  last_request_ = server_->counters().requests + options_.max_requests;
  control_->say(Control::kRecycle);
}

void Worker::ask_for_another() noexcept {
  another_.store(true, std::memory_order_relaxed);
  hub_.loop().wake();
}

void Worker::ask_if_wanted() noexcept {
  if (!another_.load(std::memory_order_relaxed) || !control_) return;
  another_.store(false, std::memory_order_relaxed);
  control_->say(Control::kReplace);
}

// A job that no exception ends holds what it has for ever: its worker is replaced.
void Worker::give_up_if_stubborn() noexcept {
  const std::uint64_t ignored = hub_.stats().deadlines_ignored;
  if (ignored == std::exchange(ignored_deadlines_, ignored) || !control_) return;
  control_->say(Control::kStubborn);
}

std::atomic<Nanos>& Worker::fit_until() noexcept {
  return seat_ ? seat_->cells().fit_until : own_fit_until_;
}

void Worker::publish_health(bool good, Nanos stands_for) noexcept {
  constexpr Nanos kLongAgo = 1;
  const Nanos until = good ? green::monotonic_now() + stands_for : kLongAgo;
  fit_until().store(until, std::memory_order_relaxed);
}

void Worker::stop(bool quick) noexcept {
  if (green::Hub::here() != &hub_) {
    hub_.loop().post(std::make_unique<StopTask>(*this, quick));
    return;
  }
  begin_drain();  // unless it has begun: that goes on, however often it is asked for
  if (quick && phase_ < Phase::Cancelling) cancel();
}

void Worker::on_master_gone() noexcept {
  stdio_relay().take_over();
  log_.log(Level::Critical, "the master is gone: finishing requests");
  stop(false);
}

void Worker::on_told_to_stop(bool quick) noexcept {
  on_signal(quick ? SIGQUIT : SIGTERM);
}

void Worker::report_to(int fd) noexcept {
  if (!notices_.tell(Notices::kReport, fd)) ::close(fd);
}

void Worker::profile_to(int fd, letter::ProfileOrder order) noexcept {
  const char* what = order.wall ? Notices::kProfileAll : Notices::kProfile;
  if (!notices_.tell(what, fd, static_cast<int>(order.milliseconds))) ::close(fd);
}

void Worker::on_signal(int signo) noexcept {
  if (signo == SIGUSR1) {
    if (server_->access_log()) server_->access_log()->reopen();
    const int level =
        seat_
            ? seat_->commons.slab().summary().log_level.load(std::memory_order_relaxed)
            : 0;
    if (level > 0)
      least_.store(static_cast<Level>(level - 1), std::memory_order_relaxed);
    notices_.tell(Notices::kSignal, signo,
                  level > 0 ? to_python_level(static_cast<Level>(level - 1)) : 0);
    return;
  }
  // Under a master a second SIGTERM says nothing new: a service manager sends one to
  // all processes, and the master another, which it also says by the pair.
  const bool quick =
      seat_ ? signo != SIGTERM : signo == SIGQUIT || phase_ != Phase::Serving;
  if (seat_ && !quick && phase_ != Phase::Serving) return;
  if (seat_ && quick && std::exchange(told_quick_, true)) return;
  notices_.tell(Notices::kSignal, signo);
  log_.log(Level::Info, quick ? "stopping at once" : "stopping: finishing requests");
  stop(quick);
}

void Worker::begin_drain() noexcept {
  if (phase_ != Phase::Serving) return;
  const loop::Custody::Inside inside(hub_.loop().custody());
  phase_ = Phase::Draining;
  if (seat_) {
    seat_->cells().state.store(metrics::SlotState::Draining, std::memory_order_release);
  }
  server_->drain();
  if (options_.graceful_timeout != kNever) {
    hub_.loop().arm(*this, hub_.loop().now() + options_.graceful_timeout);
  }
}

void Worker::cancel() noexcept {
  const loop::Custody::Inside inside(hub_.loop().custody());
  phase_ = Phase::Cancelling;
  if (server_->load().in_flight > 0) {
    log_.log(Level::Warning, "cancelling " + std::to_string(server_->load().in_flight) +
                                 " requests that did not finish in time");
  }
  server_->cancel_requests();
  for (const auto& each : bridges_) each->cancel_background();
  hub_.loop().arm(*this, hub_.loop().now() + kCancelTime);
}

void Worker::on_timer() noexcept {
  if (phase_ == Phase::Draining) {
    cancel();
  } else {
    finish();
  }
}

void Worker::on_turn_end() noexcept {
  if (phase_ == Phase::Serving) {
    give_up_if_stubborn();
    ask_if_wanted();
    return recycle_if_due();
  }
  if (phase_ == Phase::Stopped) return;
  if (has_background()) return;
  const bool no_requests =
      server_->load().in_flight == 0 && server_->load().queued == 0;
  const bool idle = phase_ == Phase::Draining ? has_left() : no_requests;
  if (idle) finish();
}

bool Worker::has_background() const noexcept {
  return std::ranges::any_of(bridges_,
                             [](const auto& each) { return each->background() > 0; });
}

bool Worker::has_requests() const noexcept {
  return server_->load().in_flight > 0 || has_background();
}

// Whether this worker, which drains, has nothing left. Others may have passed on to it
// before they saw that it drains, and it may be that they have no room for those now.
bool Worker::has_left() noexcept {
  if (server_->load().connections > 0) return false;
  if (colleagues_) colleagues_->receive();
  return server_->load().connections == 0;
}

void Worker::finish() noexcept {
  if (phase_ == Phase::Stopped) return;
  const loop::Custody::Inside inside(hub_.loop().custody());
  if (colleagues_) colleagues_->close();
  phase_ = Phase::Stopped;
  Timer::cancel();
  server_->drain();
  server_->close_all();
  if (waiting_) {
    waiting_->granted = true;
    waiting_->wake();
  }
}

void Worker::after_fork_in_child() noexcept {
  server_->abandon();
  if (control_) control_->abandon();
  if (seat_) seat_->commons.abandon();
  hub_.after_fork_in_child();
}

}  // namespace celadon::module
