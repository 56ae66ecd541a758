#include "admin/events.h"

#include <algorithm>
#include <array>
#include <utility>

namespace celadon::admin {

class Events::Listener final : public server::Consumer {
 public:
  Listener(Events& events, server::Exchange& exchange) noexcept
      : events_(events), exchange_(exchange) {
    exchange.set_consumer(this);
  }
  // Who does not keep up misses some. False: gone.
  [[nodiscard]] bool send(std::string_view text) noexcept {
    if (full_) return true;
    const auto sent = exchange_.send_data(text, {});
    full_ = sent == server::Sent::Full;
    return sent != server::Sent::Gone;
  }
  void end() noexcept {
    exchange_.set_consumer(nullptr);
    exchange_.release();
  }

 private:
  void on_body() noexcept override {}
  void on_writable() noexcept override { full_ = false; }
  void on_gone() noexcept override { events_.forget(*this); }  // this is gone

  Events& events_;
  server::Exchange& exchange_;
  bool full_ = false;
};

Events::Events(loop::Loop& loop, std::function<std::string()> snapshot) noexcept
    : loop_(loop), snapshot_(std::move(snapshot)) {}

Events::~Events() = default;

bool Events::add(server::Exchange& exchange) noexcept {
  if (listeners_.size() >= kMost) return false;
  const std::array<http::HeaderView, 3> fields{{{"Content-Type", "text/event-stream"},
                                                {"Cache-Control", "no-store"},
                                                {"X-Content-Type-Options", "nosniff"}}};
  http::ResponseHead head;
  head.status = 200;
  head.reason = http::reason_phrase(200);
  head.headers = fields;
  listeners_.push_back(std::make_unique<Listener>(*this, exchange));
  const auto sent =
      exchange.send_head(head, "retry: 2000\n\n", {}, server::Follows::Data);
  if (sent == server::Sent::Gone) {
    listeners_.back()->end();
    listeners_.pop_back();
    return true;
  }
  if (!Timer::armed()) loop_.arm(*this, loop_.now());
  return true;
}

void Events::on_timer() noexcept {
  send_all();
  if (!listeners_.empty()) loop_.arm(*this, loop_.now() + kPeriod);
}

void Events::send_all() noexcept {
  const std::string text = "data: " + snapshot_() + "\n\n";
  // Those that go while they are sent to are forgotten by that.
  std::vector<Listener*> now;
  now.reserve(listeners_.size());
  for (const auto& each : listeners_) now.push_back(each.get());
  for (Listener* listener : now) {
    const auto at = std::ranges::find_if(
        listeners_, [listener](const auto& each) { return each.get() == listener; });
    if (at != listeners_.end()) static_cast<void>((*at)->send(text));
  }
}

void Events::forget(const Listener& listener) noexcept {
  const auto at = std::ranges::find_if(
      listeners_, [&](const auto& each) { return each.get() == &listener; });
  if (at == listeners_.end()) return;
  const auto gone = std::move(*at);
  listeners_.erase(at);
  gone->end();
}

}  // namespace celadon::admin
