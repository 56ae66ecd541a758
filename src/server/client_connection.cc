// Life of a connection: input and output, idleness, its end.
#include "server/client_connection.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/assert.h"
#include "net/kernel.h"
#include "server/server.h"

namespace celadon::server {

ClientConnection::ClientConnection(Server& server, int fd, const net::Address& peer,
                                   bool tls) noexcept
    : server_(server), stream_(fd, *this, server.out_pool()), tls_(tls) {
  connection_.peer = peer;
  connection_.local = local_address(fd);
  connection_.trusted = settings().forwarded_allow.contains(peer);
  const bool is_proxied = settings().proxy_protocol != net::ProxyMode::Off;
  state_.stage = is_proxied ? Stage::Preface : tls ? Stage::Handshake : Stage::None;
}

ClientConnection::~ClientConnection() = default;

net::Address ClientConnection::local_address(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* sa = reinterpret_cast<sockaddr*>(&storage);
  if (net::kernel::local_name(fd, sa, size) < 0) return {};
  return net::Address::from_sockaddr(sa, size);
}

std::string ClientConnection::local_path() const noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* sa = reinterpret_cast<sockaddr*>(&storage);
  if (net::kernel::local_name(stream_.fd(), sa, size) < 0) return {};
  return net::unix_path(sa, size);
}

Nanos ClientConnection::now() const noexcept {
  return server_.loop().now();
}

const Settings& ClientConnection::settings() const noexcept {
  return server_.settings();
}

std::expected<void, Error> ClientConnection::attach() noexcept {
  return stream_.attach(server_.loop());
}

void ClientConnection::start() noexcept {
  mark_input();
  rearm();
}

void ClientConnection::resume(const Passage& passage) noexcept {
  connection_.local = passage.local;
  connection_.trusted = passage.trusted;
  fresh_ = passage.fresh;
  if (!passage.proxied) state_.stage = tls_ ? Stage::Handshake : Stage::None;
  marks_.since = passage.since;
  settle();
}

// --- the three machines ---

void ClientConnection::check_state() const noexcept {
  CHECK(is_legal(state_), "states of a connection that do not go together");
}

void ClientConnection::set_input(Input to) noexcept {
  if (state_.input == to) return;
  CHECK(kInputTable.has(state_.input, to), "illegal step of a connection's input");
  state_.input = to;
}

void ClientConnection::set_output(Output to) noexcept {
  if (state_.output == to) return;
  CHECK(kOutputTable.has(state_.output, to), "illegal step of a connection's output");
  state_.output = to;
}

void ClientConnection::set_stage(Stage to) noexcept {
  if (state_.stage == to) return;
  CHECK(kStageTable.has(state_.stage, to), "illegal step of a connection's request");
  state_.stage = to;
  // Also where it is idle again by the end of the turn: it is the youngest then.
  if (to == Stage::Offered) server_.set_idle(*this, false);
}

void ClientConnection::leave_corked() noexcept {
  if (ListHook<CorkTag>::linked()) server_.forget_corked(*this);
}

// The output is what the stream and the list of held-back ones say.
void ClientConnection::note_output() noexcept {
  if (state_.output == Output::Ended) return;
  if (stream_.queued() == 0 && !stream_.waits_to_write()) {
    leave_corked();
    const bool was_blocked = state_.output == Output::Blocked;
    set_output(Output::Idle);
    if (!was_blocked) return;
    mark_input();  // what comes next is waited for from here on
    rearm();
  } else if (ListHook<CorkTag>::linked()) {
    set_output(Output::Queued);
  } else {
    block_output();
  }
}

void ClientConnection::block_output() noexcept {
  if (state_.output == Output::Blocked) return;
  set_output(Output::Blocked);
  marks_.blocked = server_.loop().fresh_now();
  marks_.sent = stream_.delivered();
  rearm();
}

// The loop's own time is that of its last poll, and a view may have run since then.
void ClientConnection::mark_input() noexcept {
  mark_input(server_.loop().fresh_now());
}

void ClientConnection::mark_input(Nanos at) noexcept {
  marks_.since = at;
  marks_.body = body_bytes();
}

// --- input ---

void ClientConnection::on_readable() noexcept {
  read_some();
  settle();
}

bool ClientConnection::read_some() noexcept {
  if (!stream_.open() || state_.input == Input::Ended) return false;
  if (state_.stage == Stage::Handshake) return shake();
  const bool discards = state_.discards() || state_.lingers();
  const std::size_t room =
      std::min(discards ? Server::kScratch : read_room(), Server::kScratch);
  if (room == 0) return false;
  const net::Io io = stream_.read(server_.scratch().first(room));
  switch (io.step) {
    case net::Io::Step::Again: return false;
    case net::Io::Step::Eof: on_input_end(); return false;
    case net::Io::Step::Failed: on_input_failure(); return false;
    case net::Io::Step::Done: break;
  }
  server_.ledger().counters().received_bytes += io.bytes;
  if (discards) {
    discard(io.bytes);
  } else {
    on_bytes({server_.scratch().data(), io.bytes});
  }
  return stream_.open();
}

bool ClientConnection::read_ahead() noexcept {
  if (!server_.may_read_ahead()) return false;
  const std::uint64_t& received = server_.ledger().counters().received_bytes;
  const std::uint64_t before = received;
  const bool more = read_some();
  server_.note_read_ahead(static_cast<std::size_t>(received - before));
  return more;
}

void ClientConnection::on_input_end() noexcept {
  set_input(Input::Ended);
  on_end();
}

// Who resets what was told to end anyway has only ended it sooner.
void ClientConnection::on_input_failure() noexcept {
  if (!state_.lingers()) return lose();
  set_input(Input::Ended);
}

// The peer still sends, so it has not read its answer yet: it is given time, within
// bounds.
void ClientConnection::discard(std::size_t bytes) noexcept {
  discarded_ += bytes;
  marks_.since = now();
  if (state_.lingers() && discarded_ > settings().linger_bytes) {
    set_input(Input::Ended);
  }
}

void ClientConnection::resume_reading() noexcept {
  if (stream_.reading() || !wants_input()) return;
  stream_.set_reading(true);
  if (!waits_for_body()) return;
  mark_input();
  rearm();
}

// One that is lent rests already, and whoever has it hears of its end.
void ClientConnection::pause_reading() noexcept {
  if (state_.stage != Stage::Lent) stream_.set_reading(false);
}

bool ClientConnection::wants_input() const noexcept {
  if (state_.input == Input::Ended) return false;
  if (state_.lingers()) return true;
  if (state_.discards()) return discarded_ <= settings().linger_bytes;
  return !is_full() && read_room() > 0;
}

// --- output ---

bool ClientConnection::put(std::string_view copied, std::string_view held, Owner owner,
                           std::string_view tail, net::Leave leave) noexcept {
  const net::Io io = stream_.send(copied, held, owner, tail, leave);
  if (io.step == net::Io::Step::Failed) {
    lose();
    return false;
  }
  if (io.step == net::Io::Step::Again && leave == net::Leave::AtTurnEnd &&
      !stream_.waits_to_write()) {
    server_.cork(*this);
    if (!stream_.open()) return false;
  } else {
    leave_corked();
  }
  note_output();
  return true;
}

bool ClientConnection::flush() noexcept {
  leave_corked();
  if (!stream_.open()) return false;
  if (stream_.flush().step == net::Io::Step::Failed) {
    lose();
    return false;
  }
  note_output();
  return true;
}

net::Io ClientConnection::put_file(int file, off_t& offset,
                                   std::size_t count) noexcept {
  const net::Io io = stream_.send_file(file, offset, count);
  if (io.is_of_peer()) lose();
  if (io.step == net::Io::Step::Again) stream_.want_write();
  // A cipher takes more than the kernel does.
  const bool is_held = io.step == net::Io::Step::Done && stream_.queued() > 0;
  if (io.step == net::Io::Step::Again || is_held) block_output();
  return io;
}

void ClientConnection::uncork() noexcept {
  if (!flush()) return;
  // What was held back may be more than the buffer, and its writer wait for room.
  if (stream_.queued() == 0) on_room();
  settle();
}

void ClientConnection::on_drained() noexcept {
  note_output();
  on_room();
  go_on();
  settle();
}

void ClientConnection::on_hangup() noexcept {
  lose();
}

void ClientConnection::on_sent(std::size_t bytes) noexcept {
  server_.ledger().counters().sent_bytes += bytes;
}

// --- what follows from the state ---

void ClientConnection::settle() noexcept {
  if (!stream_.open()) return;
  if (is_finished()) {
    say_goodbye();
    if (!stream_.open()) return;
  }
  check_state();
  if (wants_input()) {
    resume_reading();
  } else {
    pause_reading();
  }
  const bool idle = is_idle();
  server_.set_idle(*this, idle);
  rearm();
  if (idle) enter_idle();
}

bool ClientConnection::is_idle() const noexcept {
  return stream_.open() && state_ == ConnectionState{} && !fresh_ && !has_input();
}

void ClientConnection::enter_idle() noexcept {
  on_idle();
  if (server_.draining()) {
    drain();
    if (!stream_.open()) return;
  }
  // Last: this very connection may have to make room.
  if (server_.accept_paused()) server_.evict_one();
}

// To another server, between two requests. What the peer sends meanwhile waits in the
// kernel for the one that reads next.
bool ClientConnection::pass_on() noexcept {
  if (!waits_unread() || !server_.pass(stream_.fd(), passage())) return false;
  net::kernel::close(stream_.detach());  // the other one has a copy
  why_ = Closed::Passed;
  finish_close();
  remove();
  return true;
}

// The stage is looked at first: of a request at hand nothing else may be looked at by
// another thread.
bool ClientConnection::waits_unread() const noexcept {
  if (state_.stage > Stage::None || stream_.cipher()) return false;
  return stream_.open() && state_.input == Input::Open &&
         state_.output == Output::Idle && !has_input();
}

Passage ClientConnection::passage() const noexcept {
  return {.peer = connection_.peer,
          .local = connection_.local,
          .since = marks_.since,
          .trusted = connection_.trusted,
          .fresh = fresh_,
          .proxied = state_.stage == Stage::Preface,
          .tls = tls_};
}

void ClientConnection::let_go() noexcept {
  server_.loop().poller().drop(stream_.fd());
  net::kernel::close(stream_.surrender());
  server_.set_idle(*this, false);
  why_ = Closed::Passed;
  let_go_ = true;
}

void ClientConnection::give_up() noexcept {
  finish_close();
  [[maybe_unused]] const bool has_exchange = on_lost();
}

void ClientConnection::drain() noexcept {
  if (!stream_.open() || pass_on()) return;
  rearm();
}

// --- the end ---

// Nothing is to be served any more.
bool ClientConnection::is_finished() const noexcept {
  switch (state_.input) {
    case Input::Open: return false;
    case Input::Last: return state_.has_answered();
    case Input::Ended:
      if (state_.stage == Stage::Whole) return true;
      // A head that is partly here never gets whole.
      return state_.stage <= Stage::Head &&
             !(state_.stage == Stage::None && has_input());
  }
  return false;
}

void ClientConnection::say_goodbye() noexcept {
  if (state_.output == Output::Queued && !flush()) return;
  if (state_.output == Output::Blocked) return;  // on_drained comes back to this
  if (resets_) {
    reset_when_delivered();
    return;
  }
  if (state_.output == Output::Idle) {
    if (why_ == Closed::Client && state_.input == Input::Last) why_ = Closed::Answer;
    if (state_.input != Input::Ended) {
      stream_.shutdown_write();
      discarded_ = 0;
      marks_.since = marks_.asked = now();
      marks_.until = settings().linger_total_timeout == kNever
                         ? kNever
                         : now() + settings().linger_total_timeout;
      marks_.sent = kNever;  // nobody has asked yet
    } else {
      stream_.say_goodbye();
    }
    if (state_.stage == Stage::Head) set_stage(Stage::None);
    set_output(Output::Ended);
  }
  if (state_.over()) {
    stream_.close();
    finish_close();
    if (!on_over()) remove();
  }
}

// A reset destroys what is on its way, so it waits until the peer has that, as long as
// it takes some of it now and then. The kernel does not say when: it is asked.
void ClientConnection::reset_when_delivered() noexcept {
  const Settings& s = settings();
  const std::size_t unsent = stream_.unsent();
  if (unsent != marks_.sent || marks_.until == kNever) {
    marks_.sent = unsent;
    marks_.until =
        now() + (s.write_timeout == kNever ? kLongestDelivery : s.write_timeout);
  }
  marks_.since = now();
  if (unsent == 0 || now() >= marks_.until) reset(Closed::Answer);
}

// The one place where a reset is made, and why.
void ClientConnection::reset(Closed why) noexcept {
  stream_.reset();
  lose(why);
}

void ClientConnection::drop_blocked() noexcept {
  if (!flush()) return;
  if (state_.output != Output::Blocked) {
    if (stream_.queued() == 0) on_room();
    return settle();  // all has left: the end of the connection follows
  }
  ++server_.ledger().counters().timeouts_write;
  reset(Closed::Slow);
}

Eviction ClientConnection::evict() noexcept {
  const bool came = read_some();
  if (came || !is_idle()) {
    settle();
    return stream_.open() ? Eviction::None : Eviction::Gone;
  }
  ++server_.ledger().counters().evicted;
  if (stream_.unsent() == 0) {
    close(Closed::Evicted);
    return Eviction::Gone;
  }
  // Should its next request meet a reset, what it does not have yet would be lost.
  end(Closed::Evicted);
  settle();
  return stream_.open() ? Eviction::Ending : Eviction::Gone;
}

bool ClientConnection::asks_nothing() const noexcept {
  return stream_.open() && state_.input == Input::Open &&
         state_.output == Output::Idle && state_.stage <= Stage::Head;
}

Eviction ClientConnection::evict_unasked() noexcept {
  read_some();
  if (!asks_nothing()) {
    settle();
    return stream_.open() ? Eviction::None : Eviction::Gone;
  }
  ++server_.ledger().counters().evicted;
  close(Closed::Evicted);
  return Eviction::Gone;
}

void ClientConnection::close(Closed why) noexcept {
  if (stream_.open()) lose(why);
}

void ClientConnection::lose(Closed why) noexcept {
  if (why_ == Closed::Client) why_ = why;
  stream_.close();
  finish_close();
  if (!on_lost()) remove();
}

void ClientConnection::finish_close() noexcept {
  Timer::cancel();
  leave_corked();
  ListHook<HandshakeTag>::unlink();
  place_.reset();
  server_.set_idle(*this, false);
  set_input(Input::Ended);
  set_output(Output::Ended);
}

void ClientConnection::remove() noexcept {
  server_.remove(*this);
}

}  // namespace celadon::server
