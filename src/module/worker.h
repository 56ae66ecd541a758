// One worker: the rooms wired together, and the order in which they stop.
//
//   drain ─► (idle, or graceful_timeout) ─► cancel requests ─► (idle, or 2 s) ─► close
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "gateway/bridge.h"
#include "gateway/mounts.h"
#include "loop/signals.h"
#include "module/access_lines.h"
#include "module/cells.h"
#include "module/colleagues.h"
#include "module/control.h"
#include "module/health_front.h"
#include "module/held_places.h"
#include "module/log_queue.h"
#include "module/notices.h"
#include "module/options.h"
#include "module/request_meter.h"
#include "module/seat.h"
#include "module/tls_object.h"
#include "server/heap_keeper.h"
#include "server/server.h"

namespace celadon::module {

class Worker final : public loop::SignalHandler,
                     public loop::TurnHook,
                     public Control::Listener,
                     public Reporter,
                     public green::Relief,
                     private loop::Timer {
 public:
  // `seat`: under a master, else null; it outlives the worker.
  Worker(green::Hub& hub, Options options, py::Object app, py::Object log_exception,
         py::Object log, py::Object access, py::Object notify, Seat* seat);
  ~Worker() override;

  // False with an exception.
  [[nodiscard]] bool prepare(PyObject* errors, PyObject* make_socket) noexcept;
  [[nodiscard]] bool bind(std::string_view address, bool v6_only) noexcept;
  // Serves until stopped; called by the main strand, which parks. False with an
  // exception.
  [[nodiscard]] bool run(bool watch_signals) noexcept;
  // Any thread, GIL held. The second call, or a quick one, does not wait for requests.
  void stop(bool quick) noexcept;
  // Another worker is to take the place of this one, which serves until then. Any
  // thread, also before it serves.
  void ask_for_another() noexcept;
  // The verdict of the application's checks, which stands for so long.
  void publish_health(bool good, Nanos stands_for) noexcept;

  [[nodiscard]] server::Server& server() noexcept { return *server_; }
  [[nodiscard]] const gateway::Counters& app_counters() noexcept {
    return bridges_.front()->counters();
  }
  [[nodiscard]] green::Hub& hub() noexcept { return hub_; }
  // Applications that nothing could end have some still: they stand on all of this.
  [[nodiscard]] bool has_requests() const noexcept;
  void after_fork_in_child() noexcept;

 private:
  enum class Phase : std::uint8_t { Serving, Draining, Cancelling, Stopped };

  void on_signal(int signo) noexcept override;
  void on_turn_end() noexcept override;
  void on_timer() noexcept override;
  void on_master_gone() noexcept override;
  void on_told_to_stop(bool quick) noexcept override;
  void report_to(int fd) noexcept override;
  std::size_t relieve() noexcept override { return server_->hand_over(); }
  void profile_to(int fd, letter::ProfileOrder order) noexcept override;
  [[nodiscard]] bool open_tls() noexcept;
  void make_bridges(const py::Object& app, const py::Object& log_exception) noexcept;
  [[nodiscard]] server::App& app() noexcept;
  [[nodiscard]] bool has_background() const noexcept;
  [[nodiscard]] bool open_access_log() noexcept;
  [[nodiscard]] bool sit_down() noexcept;
  void take_signals() noexcept;
  void draw_last_request() noexcept;
  void recycle_if_due() noexcept;
  void ask_if_wanted() noexcept;
  void give_up_if_stubborn() noexcept;
  [[nodiscard]] std::atomic<Nanos>& fit_until() noexcept;
  void begin_drain() noexcept;
  void cancel() noexcept;
  void finish() noexcept;
  [[nodiscard]] bool has_left() noexcept;

  static constexpr Nanos kCancelTime = 2 * kSecond;

  green::Hub& hub_;
  const Options options_;
  LogQueue log_;
  std::unique_ptr<AccessLines> access_lines_;  // where Python takes them
  Notices notices_;
  WorkerCounts* counts_ = nullptr;  // where there is a master
  WorkerLoad* load_ = nullptr;
  std::unique_ptr<RequestMeter> meter_;
  std::atomic<Nanos> own_fit_until_{0};
  std::unique_ptr<HealthFront> front_;
  std::unique_ptr<HeldPlaces> places_;
  // As options_.apps has them: that of the root first, which has the counters of all.
  std::vector<std::unique_ptr<gateway::Bridge>> bridges_;
  std::unique_ptr<gateway::Mounts> mounts_;  // where there are several
  tls::Counters own_tls_counts_;
  std::unique_ptr<net::CipherSource> ciphers_;  // where there are certificates
  std::unique_ptr<server::Server> server_;
  std::optional<server::HeapKeeper> heap_;
  std::unique_ptr<loop::Signals> signals_;
  Seat* const seat_;
  std::unique_ptr<Control> control_;  // where there is a master
  std::unique_ptr<Colleagues> colleagues_;
  std::uint64_t last_request_ = UINT64_MAX;  // after it another worker is asked for
  std::atomic<bool> another_ = false;        // was asked for
  std::uint64_t ignored_deadlines_ = 0;      // of which the master has heard
  std::atomic<Level> least_ = Level::Debug;  // that the watchdog logs
  Phase phase_ = Phase::Serving;
  bool told_quick_ = false;
  green::Strand* waiting_ = nullptr;  // who called run()
};

}  // namespace celadon::module
