#include "admin/waiting.h"

#include <algorithm>

#include "admin/answer.h"
#include "admin/json.h"

namespace celadon::admin {

class WaitingPages::Waiting final : public server::Consumer {
 public:
  Waiting(WaitingPages& pages, server::Exchange& exchange,
          std::uint64_t number) noexcept
      : pages_(pages), exchange_(exchange), number_(number) {
    exchange.set_consumer(this);
  }
  [[nodiscard]] bool is_gone() const noexcept { return exchange_.gone(); }
  void end() noexcept {
    exchange_.set_consumer(nullptr);
    exchange_.release();
  }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  void answer(std::string_view json) noexcept {
    exchange_.set_consumer(nullptr);
    const bool ok = !json.starts_with(R"({"ok":false)");
    send_answer(
        exchange_,
        {.status = ok ? 200 : 409, .type = kJson, .body = std::string(json) + "\n"});
  }

 private:
  void on_body() noexcept override {}
  void on_writable() noexcept override {}
  // It is let go later: nobody releases within this call.
  void on_gone() noexcept override { pages_.loop_.arm(pages_, pages_.loop_.now()); }

  WaitingPages& pages_;
  server::Exchange& exchange_;
  const std::uint64_t number_;
};

WaitingPages::WaitingPages(loop::Loop& loop, Actions& actions) noexcept
    : loop_(loop), actions_(actions) {}

WaitingPages::~WaitingPages() = default;

void WaitingPages::ask(server::Exchange& exchange, std::string_view words) noexcept {
  if (waiting_.size() >= kMost) {
    send_answer(exchange,
                {.status = 503, .type = kJson, .body = failure("busy") + "\n"});
    return;
  }
  const std::uint64_t number = next_number_++;
  waiting_.push_back(std::make_unique<Waiting>(*this, exchange, number));
  actions_.ask(number, words);  // the answer may be there when it returns
}

bool WaitingPages::reply(std::uint64_t number, std::string_view json) noexcept {
  if (number < kFirst) return false;
  const auto at = std::ranges::find_if(
      waiting_, [number](const auto& each) { return each->number() == number; });
  if (at == waiting_.end()) return true;  // who asked has left
  const auto answered = std::move(*at);
  waiting_.erase(at);
  answered->answer(json);
  return true;
}

void WaitingPages::on_timer() noexcept {
  std::erase_if(waiting_, [](const auto& each) {
    if (!each->is_gone()) return false;
    each->end();
    return true;
  });
}

}  // namespace celadon::admin
