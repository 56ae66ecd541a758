#include "admin/events.h"

#include <array>
#include <memory>
#include <utility>
#include <vector>

namespace celadon::admin {

class Events::Listener final : public server::Consumer {
 public:
  Listener(Events& events, server::Exchange& exchange) noexcept
      : events_(events), exchange_(exchange) {
    exchange.set_consumer(this);
  }
  // Who does not keep up misses some.
  void send(std::string_view text) noexcept {
    if (!full_) full_ = exchange_.send_data(text, {}) == server::Sent::Full;
  }
  [[nodiscard]] bool is_gone() const noexcept { return exchange_.gone(); }
  void end() noexcept {
    exchange_.set_consumer(nullptr);
    exchange_.release();
  }

 private:
  void on_body() noexcept override {}
  void on_writable() noexcept override { full_ = false; }
  // It may be in the middle of a send: it is let go later.
  void on_gone() noexcept override { events_.loop_.arm(events_, events_.loop_.now()); }

  Events& events_;
  server::Exchange& exchange_;
  bool full_ = false;
};

Events::Events(loop::Loop& loop, std::function<std::string()> snapshot) noexcept
    : loop_(loop), snapshot_(std::move(snapshot)) {}

Events::~Events() = default;

bool Events::add(server::Exchange& exchange) noexcept {
  let_go();
  if (listeners_.size() >= kMost) return false;
  const std::array<http::HeaderView, 3> fields{{{"Content-Type", "text/event-stream"},
                                                {"Cache-Control", "no-store"},
                                                {"X-Content-Type-Options", "nosniff"}}};
  http::ResponseHead head;
  head.status = 200;
  head.reason = http::reason_phrase(200);
  head.headers = fields;
  listeners_.push_back(std::make_unique<Listener>(*this, exchange));
  const auto sent = exchange.send_head(head, "retry: 2000\n\n", {}, server::Part::More);
  if (sent == server::Sent::Gone) {
    listeners_.back()->end();
    listeners_.pop_back();
    return true;
  }
  if (listeners_.size() == 1) loop_.arm(*this, next_ = loop_.now());
  return true;
}

void Events::on_timer() noexcept {
  let_go();
  if (listeners_.empty()) return;
  if (next_ <= loop_.now()) {
    send_all();
    next_ = loop_.now() + kPeriod;
  }
  // Whoever went while it was sent to has armed it already.
  if (!Timer::armed()) loop_.arm(*this, next_);
}

void Events::send_all() noexcept {
  const std::string text = "data: " + snapshot_() + "\n\n";
  for (const auto& each : listeners_) each->send(text);
}

void Events::let_go() noexcept {
  std::vector<std::unique_ptr<Listener>> gone;
  for (auto& each : listeners_) {
    if (each->is_gone()) gone.push_back(std::move(each));
  }
  std::erase(listeners_, nullptr);
  for (const auto& each : gone) each->end();
}

}  // namespace celadon::admin
