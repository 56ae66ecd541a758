// The books of a server's requests: who may run, who waits for a place, what each came
// to. It knows no connection: exchanges come from their channels and go back there.
//
//   channel ─► open ─► admit ─► front | application          (or a queue before it)
//                                  │
//   channel ◄── Channel::release ◄─┘        channel ─► settle (counted, logged, kept)
//
// A place that becomes free is handed out in a loop, never from within a call to an
// application: one that answers at once does not deepen the stack.
#pragma once

#include <memory>

#include "base/free_list.h"
#include "base/log.h"
#include "base/under_way.h"
#include "loop/loop.h"
#include "server/access_log.h"
#include "server/admission.h"
#include "server/counters.h"
#include "server/exchange.h"
#include "server/identity.h"
#include "server/meter.h"
#include "server/own_lines.h"
#include "server/settings.h"

namespace celadon::server {

// Where a server counts: memory that others may read.
struct Cells {
  Counters& counters;
  Load& load;
  UnderWay* under_way = nullptr;
};

// At most so many lines of a kind in a second; the others are counted.
class LineRate {
 public:
  explicit LineRate(unsigned most) noexcept : most_(most) {}
  // Calls `tell(n)` first where `n` lines of an earlier second were held back.
  template <class Tell>
  [[nodiscard]] bool allows(Nanos now, Tell tell) noexcept {
    const std::int64_t second = now / kSecond;
    if (second != second_) {
      if (held_back_ > 0) tell(held_back_);
      second_ = second;
      lines_ = held_back_ = 0;
    }
    if (++lines_ <= most_) return true;
    ++held_back_;
    return false;
  }

 private:
  const unsigned most_;
  std::int64_t second_ = -1;
  unsigned lines_ = 0;
  unsigned held_back_ = 0;
};

class Ledger final : private loop::Timer {
 public:
  Ledger(loop::Loop& loop, App& app, const Settings& settings, LogSink& log,
         Cells cells);

  void set_access_log(std::unique_ptr<AccessLog> log) noexcept;
  void set_meter(Meter* meter) noexcept { meter_ = meter; }
  void set_front(Front* front) noexcept { front_ = front; }
  [[nodiscard]] AccessLog* access_log() noexcept { return access_log_.get(); }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] Load& load() noexcept { return load_; }
  [[nodiscard]] LogSink& log() noexcept { return log_; }

  // An exchange for a request that begins.
  [[nodiscard]] std::unique_ptr<Exchange> open() noexcept;
  // The request is there: it runs, waits or is refused, now or later.
  void admit(Exchange& x) noexcept;
  // Likewise: it is refused, though nobody has heard of it.
  void refuse_unheard(Exchange& x, http::Rejection why) noexcept;
  // It has ended, whole or not: what is known of it is written down. The loop's time is
  // fresh when it returns.
  void settle(std::unique_ptr<Exchange> x) noexcept;
  // Behind that, once its channel is ready for whatever may come: the place that became
  // free goes to who waits.
  void hand_out() noexcept;
  // Nobody heard of it, and nobody is there any more to hear its answer.
  void withdraw(std::unique_ptr<Exchange> x) noexcept;

  // A page of ours as its answer, and a line about it.
  void send_refusal(Exchange& x, http::Rejection why) noexcept;
  void complain(Exchange& x, Misfit what) noexcept;
  // A refusal in the log and in the counters; `request` is null where none was read, of
  // which `head` came.
  void note_refusal(const net::Address& peer, http::Rejection why,
                    const http::Request* request, std::string_view head = {}) noexcept;

  // The field that carries the id of a request; empty: none does.
  [[nodiscard]] std::string_view id_header() const noexcept { return naming_.header(); }
  // The application answers with an id of its own.
  [[nodiscard]] bool names_itself(const http::ResponseHead& head) const noexcept;
  // The id of a request, unless it has one.
  void name(Exchange& x) noexcept;
  void identify(Exchange& x) noexcept;

  void on_turn_end() noexcept;
  // Asks the application to end every request that it has.
  void cancel(Exchange& x) noexcept { app_.on_cancel(x); }
  // Where bodies are collected before their requests are offered.
  [[nodiscard]] const Spooling& spooling() const noexcept { return spooling_; }
  // Exchanges that are kept for the next requests.
  [[nodiscard]] FreeList<Exchange>& free_list() noexcept { return free_; }
  [[nodiscard]] const FreeList<Exchange>& free_list() const noexcept { return free_; }
  void abandon() noexcept;
  // Field lines of the server's own for an answer.
  [[nodiscard]] std::string_view own_lines(bool has_date, bool has_server) noexcept {
    return own_lines_.get(has_date, has_server);
  }

 private:
  void on_timer() noexcept override;  // queue_timeout
  void enter(Exchange& x) noexcept;
  void run(Exchange& x) noexcept;
  void leave(Exchange& x) noexcept;
  void overload(Exchange& x, Refused why) noexcept;
  void arm_queue_timer() noexcept;
  [[nodiscard]] Nanos waited_before(const http::Request& request) noexcept;
  void count(Exchange& x) noexcept;
  void note_slow(const Finished& request) noexcept;
  void log_access(const Finished& request) noexcept;
  void tell_dropped_lines() noexcept;
  // What the wall's clock says at a moment of the loop's.
  [[nodiscard]] Nanos wall(Nanos at) noexcept { return at + own_lines_.wall_offset(); }

  static constexpr Nanos kSlow = kSecond;  // shown, if not logged
  static constexpr Nanos kTellDropped = 10 * kSecond;
  static constexpr Nanos kMostWaitedBefore = 600 * kSecond;  // else a clock is wrong

  loop::Loop& loop_;
  App& app_;
  const Settings& settings_;
  LogSink& log_;
  Counters& counters_;
  Load& load_;
  UnderWay* const under_way_;
  Naming naming_;
  OwnLines own_lines_{loop_, settings_};
  Admission admission_{settings_};
  std::unique_ptr<AccessLog> access_log_;
  Meter* meter_ = nullptr;
  Front* front_ = nullptr;
  FreeList<Exchange> free_{256};
  bool handing_out_ = false;
  const Spooling spooling_{settings_.body_buffer, &settings_.tmp_upload_dir};
  const Nanos slow_after_;
  Nanos dropped_told_ = 0;
  LineRate refusals_{10};
  LineRate slow_ones_{5};
};

}  // namespace celadon::server
