// From answers to bytes.
#include <algorithm>

#include "net/kernel.h"
#include "server/h1_session.h"
#include "server/server.h"
#include "server/slow_request.h"

namespace celadon::server {
namespace {

constexpr std::size_t kSmallBody = 4096;  // copied behind its head: one plain send
constexpr std::size_t kCorkLimit = 64 * 1024;

void release_owner(Owner owner) noexcept {
  if (owner.release) owner.release(owner.object);
}

}  // namespace

// After it the connection ends, and it says so (CN16).
bool H1Session::is_last_answer(const Exchange& x,
                               const http::ResponseHead& head) const noexcept {
  if (head.close || state().input == Input::Last || body_blocks_reuse(x)) return true;
  // Requests that are here already are answered first.
  if (has_input()) return false;
  return state().input == Input::Ended || closing() || settings().keepalive == 0;
}

Sent H1Session::write_head(Exchange& x, const http::ResponseHead& head,
                           std::string_view first, Owner owner, Part part,
                           net::Leave leave) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  Ledger& ledger = server_.ledger();
  auto length = head.content_length;
  if (head.status == 205) length = 0;
  framing_ = http::h1::choose_framing(head.status, x.is_head(), x.carrier.version,
                                      length.has_value());
  const bool last = is_last_answer(x, head) || framing_ == http::h1::Framing::Close;
  if (last) take_no_more();
  note_fields(x, head);
  const bool is_timed = settings().server_timing && x.account;
  if (is_timed || !x.released_next()) x.answered_at = server_.loop().fresh_now();
  std::string timing;
  if (is_timed) {
    const Nanos queued = std::max<Nanos>(x.started_at - x.received_at, 0);
    append_server_timing(timing, *x.account, queued, x.answered_at);
  }
  std::string& out = server_.render();
  out.clear();
  const http::h1::Extras extras{
      .lines = ledger.own_lines(head.has_date, head.has_server),
      .field = id_field(x, head),
      .timing = {"Server-Timing", timing},
      .close = last,
      .keep_alive = x.carrier.is_http10()};
  http::h1::append_head(out, head, framing_, length.value_or(0), extras);
  const Sent sent = send_piece(x, out, first, owner, part, leave);
  // What is held back ends here: the server has just read the clock for it.
  if (state().output == Output::Queued && x.answered_at == 0) x.answered_at = now();
  return sent;
}

// For the access log, where its format names one.
void H1Session::note_fields(Exchange& x, const http::ResponseHead& head) noexcept {
  const AccessLog* log = server_.ledger().access_log();
  if (!log || !log->format().wants_response_headers()) return;
  for (const auto& h : head.headers) x.log_header(h.name, h.value);
}

// `out` is what precedes the data: a head, or nothing.
Sent H1Session::send_piece(Exchange& x, std::string& out, std::string_view data,
                           Owner owner, Part part, net::Leave leave) noexcept {
  const bool last = part == Part::Last;
  std::string_view tail;
  if (framing_ == http::h1::Framing::Chunked) {
    if (!data.empty()) {
      http::h1::append_chunk_size(out, data.size());
      tail = "\r\n";
    }
    if (last) {
      tail = data.empty() ? http::h1::kLastChunk : "\r\n0\r\n\r\n";
      framing_ = http::h1::Framing::None;  // its end is out
    }
  }
  if (data.size() <= kSmallBody) {
    out.append(data);
    out.append(tail);
    release_owner(owner);
    owner = {};
    data = tail = {};
  }
  // Only what is whole and small waits for others; only what is not has a next piece.
  // In a tunnel each piece may be a message.
  const bool whole = last || !x.body_allowed() || x.remaining() == 0;
  const bool is_message = framing_ == http::h1::Framing::Tunnel;
  if (!is_message && (whole ? leave == net::Leave::WithNext || !data.empty()
                            : leave == net::Leave::AtTurnEnd)) {
    leave = net::Leave::Now;
  }
  return send(out, data, owner, tail, leave);
}

Sent H1Session::send(std::string_view copied, std::string_view held, Owner owner,
                     std::string_view tail, net::Leave leave) noexcept {
  // More requests wait in the input: their answers leave together.
  if (has_input()) leave = net::Leave::AtTurnEnd;
  const std::size_t after = queued() + copied.size() + held.size();
  // Behind the last answer nothing comes; in a tunnel something may.
  const bool is_last =
      state().input == Input::Last && framing_ != http::h1::Framing::Tunnel;
  if (leave == net::Leave::AtTurnEnd && (is_last || after >= kCorkLimit)) {
    leave = net::Leave::Now;
  }
  if (!put(copied, held, owner, tail, leave)) return Sent::Gone;
  return is_full() ? Sent::Full : Sent::Ok;
}

Sent H1Session::write_data(Exchange& x, std::string_view data, Owner owner,
                           net::Leave leave) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  std::string& out = server_.render();
  out.clear();
  return send_piece(x, out, data, owner, Part::More, leave);
}

Sent H1Session::write_file(Exchange&, int file, off_t& offset,
                           std::size_t count) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  if (queued() > 0) {
    if (!flush()) return Sent::Gone;
    if (queued() > 0) return Sent::Full;
  }
  const net::Io io = put_file(file, offset, count);
  switch (io.step) {
    case net::Io::Step::Eof:
    case net::Io::Step::Done: return Sent::Ok;
    case net::Io::Step::Again: return Sent::Full;
    case net::Io::Step::Failed: break;
  }
  return io.is_of_peer() ? Sent::Gone : Sent::NoFile;
}

void H1Session::write_interim(Exchange&, int status,
                              std::span<const http::HeaderView> headers) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  if (is_full()) return;  // it is of use only as long as it comes early
  std::string& out = server_.render();
  out.clear();
  http::h1::append_interim(out, status, headers);
  [[maybe_unused]] const bool sent = put(out, {}, {}, {}, net::Leave::Now);
}

void H1Session::end_answer(Exchange& x,
                           std::span<const http::HeaderView> trailers) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  if (framing_ == http::h1::Framing::Chunked) {
    framing_ = http::h1::Framing::None;
    if (x.body_allowed()) send_last_chunk(trailers);
  }
  if (state().stage != Stage::Active || !ends_with_connection()) return;
  note_whole();
  settle();
}

void H1Session::send_last_chunk(std::span<const http::HeaderView> trailers) noexcept {
  std::string last = "0\r\n";  // kLastChunk, with fields in between
  for (const http::HeaderView& field : trailers) {
    last.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  last += "\r\n";
  send(last, {}, {}, {}, net::Leave::Now);
}

// Nothing but the end of the connection says that its answer is whole: a tunnel's, or
// one without a length. Whoever still reads the body of his request reads on.
bool H1Session::ends_with_connection() const noexcept {
  if (!exchange_ || exchange_->answer() != Answer::Whole) return false;
  return framing_ == http::h1::Framing::Tunnel ||
         (framing_ == http::h1::Framing::Close &&
          exchange_->body_state() != BodyState::Open);
}

// That end leaves now, whatever the application does before it releases the request.
void H1Session::note_whole() noexcept {
  discarded_ = 0;
  set_stage(Stage::Whole);
  server_.loop().fresh_now();  // its linger begins
}

void H1Session::give_up(Exchange&) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  drop_blocked();
}

// Where the framing shows what is missing an ordinary end does; what the end of the
// connection delimits needs a reset, behind all that came before it (C03).
void H1Session::break_off(Exchange&) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  take_no_more();
  if (framing_ == http::h1::Framing::Close || framing_ == http::h1::Framing::Tunnel) {
    end_by_reset();
  }
  framing_ = http::h1::Framing::None;
}

Sent H1Session::open_tunnel(Exchange& x, const http::ResponseHead& head) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  x.take_body(stored());  // what the peer sent ahead belongs to the tunnel
  if (state().input == Input::Ended) x.end_body();
  take_no_more();
  framing_ = http::h1::Framing::Tunnel;
  expecting_ = Expecting::Tunnel;
  note_fields(x, head);
  x.answered_at = server_.loop().fresh_now();
  std::string& out = server_.render();
  out.clear();
  http::h1::append_head(out, head, http::h1::Framing::None, 0,
                        {.field = id_field(x, head)});
  const Sent sent = send(out, {}, {}, {}, net::Leave::Now);
  // Others heard of it when that began.
  if (sent != Sent::Gone && server_.draining()) x.note_closing(server_.how_it_closes());
  return sent;
}

Sent H1Session::lend(Exchange& x, Loan& loan) noexcept {
  const loop::Custody::Inside inside(server_.loop().custody());
  if (connection_.cipher) return Sent::Gone;  // what it reads and writes is sealed
  if (queued() > 0 && !flush()) return Sent::Gone;
  if (queued() > 0) return Sent::Full;
  loan.socket = net::OwnedFd(net::kernel::duplicate(fd()));
  if (!loan.socket) return Sent::NoFile;
  loan.ahead = stored();
  take_no_more();
  set_stage(Stage::Lent);
  let_rest();
  x.answered_at = server_.loop().fresh_now();
  return Sent::Ok;
}

void H1Session::refuse(Exchange& x, http::Rejection why) noexcept {
  server_.ledger().send_refusal(x, why);
}

void H1Session::complain(Exchange& x, Misfit what) noexcept {
  server_.ledger().complain(x, what);
}

void H1Session::identify(Exchange& x) noexcept {
  server_.ledger().identify(x);
}

// The id that the answer carries; empty: none.
http::HeaderView H1Session::id_field(Exchange& x,
                                     const http::ResponseHead& head) noexcept {
  Ledger& ledger = server_.ledger();
  if (ledger.id_header().empty() || ledger.names_itself(head)) return {};
  ledger.name(x);
  return {ledger.id_header(), x.names().request_id()};
}

}  // namespace celadon::server
