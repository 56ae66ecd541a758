// Life of an HTTP/1 session: what ends, and what goes on then.
#include "server/h1_session.h"

#include <algorithm>

#include "base/assert.h"
#include "server/server.h"

namespace celadon::server {
namespace {

constexpr std::size_t kReadAhead = 64 * 1024;  // of pipelined requests

bool cancels_on_disconnect(const Settings& settings, std::string_view method) noexcept {
  return std::ranges::find(settings.cancel_on_disconnect, method) !=
         settings.cancel_on_disconnect.end();
}

}  // namespace

std::size_t H1Session::read_room() const noexcept {
  switch (state().stage) {
    // What is stored has its turn before more is read.
    case Stage::None: return has_input() ? 0 : Server::kScratch;
    case Stage::Handshake: return is_in_line() ? 0 : Server::kScratch;
    case Stage::Preface:
    case Stage::Head:
    case Stage::Answered:
    case Stage::Whole: return Server::kScratch;
    case Stage::Lent: return 0;
    case Stage::Offered:
    case Stage::Active: break;
  }
  const Exchange& x = *exchange_;
  if (x.body_state() == BodyState::Open) {
    if (x.buffered()) return Server::kScratch;
    const std::size_t held = x.body().size();
    const std::size_t most = settings().body_buffer;
    return held >= most ? 0 : most - held;
  }
  // Behind the last request nothing is kept; what comes is looked at for its end.
  if (state().input == Input::Last)
    return discarded_ <= settings().linger_bytes ? Server::kScratch : 0;
  const std::size_t held = stored().size();
  return held >= kReadAhead ? 0 : kReadAhead - held;
}

void H1Session::on_end() noexcept {
  switch (state().stage) {
    case Stage::Preface:
    case Stage::Handshake:
    case Stage::None:
    case Stage::Head:
    case Stage::Lent: return;
    case Stage::Answered: chunked_.reset(); return set_stage(Stage::None);
    case Stage::Whole: return exchange_->end_body();
    case Stage::Offered:
    case Stage::Active: break;
  }
  Exchange& x = *exchange_;
  if (x.body_state() == BodyState::Open) {
    if (expecting_ == Expecting::Tunnel) return x.end_body();
    body_failed(http::Rejection::IncompleteBody);
    return offer_collected();
  }
  // A FIN is also what a half-close looks like: gone only where the setting says so.
  x.note_peer_shut();
  if (x.running && cancels_on_disconnect(settings(), x.method())) lose();
}

bool H1Session::on_lost() noexcept {
  ahead_.reset();
  parser_.reset();
  chunked_.reset();
  if (!exchange_) return false;
  if (state().stage == Stage::Offered || exchange_->running) {
    ++server_.ledger().counters().client_gone;
    exchange_->go();
    return true;
  }
  ++server_.ledger().counters().client_gone;
  server_.ledger().withdraw(std::move(exchange_));
  return false;
}

bool H1Session::on_over() noexcept {
  if (!exchange_) return false;
  exchange_->fail_body(http::Rejection::IncompleteBody);
  return true;
}

void H1Session::cancel() noexcept {
  if (exchange_ && exchange_->running) server_.ledger().cancel(*exchange_);
}

void H1Session::tell_closing() noexcept {
  if (exchange_ && exchange_->running) exchange_->note_closing(server_.how_it_closes());
}

void H1Session::on_room() noexcept {
  if (state().stage == Stage::Active && exchange_->running) exchange_->note_room();
}

void H1Session::go_on() noexcept {
  if (open() && state().stage == Stage::None) serve({});
}

void H1Session::on_idle() noexcept {
  parser_.reset();
  ahead_.reset();
}

void H1Session::on_due(Why why) noexcept {
  switch (why) {
    case Why::More: return serve({});
    case Why::Head:
      ++server_.ledger().counters().timeouts_header;
      return reject(http::Rejection::SlowHead, stored());
    case Why::Rest:
      chunked_.reset();
      take_no_more();
      return set_stage(Stage::None);
    case Why::Body: break;
    default: return;
  }
  const Settings& s = settings();
  const std::uint64_t came = exchange_->body_size() - marks().body;
  if (now() < marks().until && came >= least_in(s.body_timeout, s.body_min_rate))
    return mark_input();
  ++server_.ledger().counters().timeouts_body;
  body_failed(http::Rejection::SlowBody);
  offer_collected();
}

void H1Session::release(Exchange& x) noexcept {
  ASSERT(exchange_.get() == &x, "released by another session");
  const loop::Custody::Inside inside(server_.loop().custody());
  const bool within = state().stage == Stage::Offered;
  const bool body_open = x.body_state() == BodyState::Open;
  if (!x.ended()) x.abort();
  framing_ = http::h1::Framing::None;
  auto done = std::move(exchange_);
  const bool rest = body_open && open() && state().input == Input::Open;
  if (!rest) chunked_.reset();
  if (state().stage == Stage::Lent) take_back();
  set_stage(rest ? Stage::Answered : Stage::None);
  server_.ledger().settle(std::move(done));
  if (!open()) {
    remove();
  } else if (!state().lingers()) {
    discarded_ = 0;
    marks().until = kNever;
    mark_input(now());
  }
  // Others have their turn within, and this connection may end meanwhile.
  server_.ledger().hand_out();
  if (within || !open()) return;  // serve() goes on
  if (state().stage == Stage::Answered) skip_rest({});
  if (state().stage == Stage::None) serve({});
  settle();
}

}  // namespace celadon::server
