#include "server/server.h"

#include <utility>

#include "base/memory.h"
#include "net/kernel.h"
#include "server/h1_session.h"

namespace celadon::server {

Server::Server(loop::Loop& loop, App& app, Settings settings, LogSink& log)
    : Server(loop, app, std::move(settings), log, {own_counters_, own_load_}) {}

Server::Server(loop::Loop& loop, App& app, Settings settings, LogSink& log, Cells cells)
    : loop_(loop),
      settings_(std::move(settings)),
      counters_(cells.counters),
      load_(cells.load),
      ledger_(loop, app, settings_, log, cells),
      handshakes_(settings_.tls_handshakes, load_.handshakes),
      parser_(settings_.limits, known_blocks_) {
  render_.reserve(kRender);
  loop_.add_hook(*this);
  loop_.add_keeper(*this);
}

Server::~Server() {
  const loop::Custody::Inside inside(loop_.custody());
  close_all();
  listeners_.clear();
}

std::expected<void, Error> Server::add_listener(net::ListenSocket socket) noexcept {
  auto listener = std::make_unique<net::Listener>(loop_, std::move(socket), *this);
  if (auto started = listener->start(); !started) return started;
  listeners_.push_back(std::move(listener));
  return {};
}

// --- who comes ---

std::unique_ptr<net::Cipher> Server::make_cipher() noexcept {
  return ciphers_->make();
}

bool Server::may_shake() noexcept {
  return shakes_++ < kShakes;
}

net::Acceptor::Next Server::on_accept(int fd, const net::Address& peer,
                                      net::Listener&) noexcept {
  // A connection that was accepted is always served: room was made for it before.
  ++counters_.accepted;
  if (peers_ && (draining_ || peers_->over_share())) {
    const Passage passage{.peer = peer,
                          .local = ClientConnection::local_address(fd),
                          .since = loop_.now(),
                          .trusted = settings_.forwarded_allow.contains(peer),
                          .proxied = settings_.proxy_protocol != net::ProxyMode::Off,
                          .tls = speaks_tls()};
    if (pass(fd, passage)) {
      ++counters_.closed[static_cast<std::size_t>(Closed::Passed)];
      net::kernel::close(fd);
      return Next::More;
    }
  }
  ClientConnection& connection = add(fd, peer, speaks_tls());
  if (!attach(connection)) return Next::Pause;
  connection.start();
  // Behind these nobody is let in any more.
  if (draining_) return Next::More;
  if (load_.connections < settings_.worker_connections || evict_one())
    return Next::More;
  accept_paused_ = true;
  note_pause();
  for (auto& listener : listeners_) listener->stop();
  return Next::Stop;
}

// Where the poller has no room, who is idle makes some. False: it is closed.
bool Server::attach(ClientConnection& connection) noexcept {
  auto attached = connection.attach();
  if (!attached) {
    on_accept_error(attached.error());
    if (connection.fd() >= 0) attached = connection.attach();
  }
  if (!attached) connection.close(Closed::Server);
  return attached.has_value();
}

// The list owns its members; remove() hands them to the loop to be destroyed.
ClientConnection& Server::add(int fd, const net::Address& peer, bool tls) noexcept {
  ++load_.connections;
  auto* made = std::make_unique<H1Session>(*this, fd, peer, tls).release();
  connections_.push_back(*made);
  return *made;
}

bool Server::pass(int fd, const Passage& passage) noexcept {
  if (!peers_ || !peers_->pass(fd, passage)) return false;
  ++counters_.passed;
  return true;
}

void Server::take(int fd, const Passage& passage) noexcept {
  ++counters_.taken;
  ClientConnection& connection = add(fd, passage.peer, passage.tls && speaks_tls());
  if (!attach(connection)) return;
  connection.resume(passage);
  if (load_.connections > settings_.worker_connections) evict_one();
}

// It may go on and off with each connection that ends.
void Server::note_pause() noexcept {
  ++counters_.accept_pauses;
  if (loop_.now() < tell_pause_at_) return;
  tell_pause_at_ = loop_.now() + kTellPeriod;
  log().log(Level::Warning, "worker_connections (" +
                                std::to_string(settings_.worker_connections) +
                                ") are open: no more are accepted until one ends");
}

void Server::on_accept_error(Error error) noexcept {
  if (counters_.accept_errors++ == 0) {
    log().log(Level::Warning,
              "cannot accept, paused for 100 ms: " + std::string(describe(error)));
  }
  const bool is_short = error == Error::NoDescriptors || error == Error::NoMemory;
  if (is_short && !draining_) evict_one();
}

// New ones that have not sent a request yet are not idle: header_timeout bounds them.
// One whose next request has come by now is the youngest when that was answered, and
// asks for room itself then: the loop goes on for it.
bool Server::evict_one() noexcept {
  if (std::exchange(evicting_, true)) return false;
  Eviction came_to = Eviction::None;
  for (auto left = load_.idle; left > 0 && came_to == Eviction::None; --left) {
    ClientConnection* oldest = idle_.front();
    if (!oldest) break;
    came_to = oldest->evict();
  }
  bool is_gone = came_to == Eviction::Gone;
  if (came_to == Eviction::None && settings_.always_lets_in) is_gone = evict_oldest();
  evicting_ = false;
  return is_gone;
}

// One that has asked for nothing yet, else any.
bool Server::evict_oldest() noexcept {
  ClientConnection* next = nullptr;
  for (ClientConnection* c = connections_.front(); c; c = next) {
    next = connections_.next(*c);
    if (c->asks_nothing() && c->evict_unasked() == Eviction::Gone) return true;
  }
  ClientConnection* oldest = connections_.front();
  if (!oldest) return false;
  ++counters_.evicted;
  oldest->close(Closed::Evicted);
  return true;
}

void Server::resume_accepting() noexcept {
  if (!accept_paused_ || draining_) return;
  accept_paused_ = false;
  for (auto& listener : listeners_) listener->resume();
}

// --- what becomes of them ---

void Server::remove(ClientConnection& connection) noexcept {
  --load_.connections;
  bury(connection);
}

void Server::bury(ClientConnection& connection) noexcept {
  connection.ListHook<ClientConnection>::unlink();
  ++counters_.closed[static_cast<std::size_t>(connection.why())];
  loop_.dispose(std::unique_ptr<ClientConnection>(&connection));
  if (accept_paused_) resume_accepting();
}

void Server::set_idle(ClientConnection& connection, bool idle) noexcept {
  auto& hook = static_cast<ListHook<IdleTag>&>(connection);
  if (hook.linked() == idle) return;
  if (idle) {
    idle_.push_back(connection);
    ++load_.idle;
  } else {
    hook.unlink();
    --load_.idle;
  }
}

bool Server::may_read_ahead() noexcept {
  const std::uint64_t turn = loop_.counters().turns;
  if (std::exchange(read_ahead_in_, turn) != turn) read_ahead_ = 0;
  return read_ahead_ < kReadPerTurn;
}

void Server::cork(ClientConnection& connection) noexcept {
  const Nanos now = loop_.fresh_now();
  if (corked_.empty()) punctual_.begin(now);
  if (!connection.ListHook<CorkTag>::linked()) corked_.push_back(connection);
  if (punctual_.is_over(now)) flush_corked();
}

// Behind our part of a turn's end others may cork and send: nothing else would say
// before the next turn, which may be long in coming, that nothing is held back.
void Server::forget_corked(ClientConnection& connection) noexcept {
  connection.ListHook<CorkTag>::unlink();
  if (corked_.empty()) punctual_.end();
}

void Server::flush_corked() noexcept {
  constexpr int kFew = 4;  // take no time that is worth a look at the clock
  int flushed = 0;
  punctual_.end();
  while (ClientConnection* connection = corked_.pop_front()) {
    connection->uncork();
    ++flushed;
  }
  if (flushed > kFew) loop_.fresh_now();
}

void Server::on_turn_end() noexcept {
  if (handed_over_ > 0) bury_handed_over();
  shakes_ = 0;
  flush_corked();
  ledger_.on_turn_end();
}

// --- memory for what comes next ---

bool Server::keeps_memory() const noexcept {
  return !ledger_.free_list().empty() || !out_pool_.free_list().empty() ||
         !known_blocks_.empty() || render_.capacity() > kRender;
}

void Server::give_back_unused() noexcept {
  ledger_.free_list().give_back_unused();
  out_pool_.free_list().give_back_unused();
  known_blocks_.forget_unused();
  fit_render();
}

void Server::give_back_all() noexcept {
  ledger_.free_list().give_back_all();
  out_pool_.free_list().give_back_all();
  known_blocks_.forget();
  fit_render();
}

// A head in a thousand is large.
void Server::fit_render() noexcept {
  if (render_.capacity() <= kRender) return;
  give_back(render_);
  render_.reserve(kRender);
}

// --- a loop that is held ---

std::size_t Server::hand_over() noexcept {
  if (!peers_ || !loop_.poller().can_drop()) return 0;
  std::size_t went = 0;
  for (ClientConnection* c = connections_.front(); c; c = connections_.next(*c)) {
    if (!c->waits_unread()) continue;
    const bool goes = loop_.custody().left_since() != 0 && peers_->has_room() &&
                      pass(c->fd(), c->passage());
    if (!goes) break;
    c->let_go();
    --load_.connections;
    ++went;
  }
  counters_.handed_over += went;
  handed_over_ += went;
  return went;
}

void Server::send_held_back() noexcept {
  for (ClientConnection* c = corked_.front(); c; c = corked_.next(*c)) c->send_queued();
}

void Server::be_punctual() noexcept {
  const auto started = punctual_.start();
  if (started) return;
  log().log(Level::Warning, "answers wait while others are computed: " +
                                std::string(describe(started.error())));
}

void Server::bury_handed_over() noexcept {
  handed_over_ = 0;
  ClientConnection* next = nullptr;
  for (ClientConnection* c = connections_.front(); c; c = next) {
    next = connections_.next(*c);
    if (!c->was_let_go()) continue;
    c->give_up();
    bury(*c);
  }
}

// --- the end ---

Nanos Server::closing_since() noexcept {
  const bool ends =
      !peers_ ? draining_ : peers_->ending() || (draining_ && !peers_->has_other());
  if (!ends) return closing_since_ = kNever;
  if (closing_since_ == kNever) closing_since_ = loop_.now();
  return closing_since_;
}

Closing Server::how_it_closes() noexcept {
  return peers_ && !peers_->ending() ? Closing::Restart : Closing::Stop;
}

void Server::drain() noexcept {
  if (draining_) return;
  draining_ = true;
  draining_since_ = loop_.now();
  accept_paused_ = false;  // nobody waits for a place any more
  for (auto& listener : listeners_) listener->accept_queued_and_close();
  ClientConnection* next = nullptr;
  for (ClientConnection* c = connections_.front(); c; c = next) {
    next = connections_.next(*c);
    c->tell_closing();
  }
  drain_connections();
}

void Server::drain_connections() noexcept {
  ClientConnection* next = nullptr;
  for (ClientConnection* c = connections_.front(); c; c = next) {
    next = connections_.next(*c);
    c->drain();
  }
  // Others may have no room just now, or no one else may be there any more.
  if (!connections_.empty() && peers_) loop_.arm(retry_, loop_.now() + kRetryPeriod);
}

void Server::cancel_requests() noexcept {
  ClientConnection* next = nullptr;
  for (ClientConnection* c = connections_.front(); c; c = next) {
    next = connections_.next(*c);
    c->cancel();
  }
}

void Server::close_all() noexcept {
  if (handed_over_ > 0) bury_handed_over();
  for (auto& listener : listeners_) listener->stop();
  ClientConnection* next = nullptr;
  for (ClientConnection* c = connections_.front(); c; c = next) {
    next = connections_.next(*c);
    c->close(Closed::Server);
  }
}

void Server::abandon() noexcept {
  punctual_.abandon();
  for (auto& listener : listeners_) listener->abandon();
  for (ClientConnection* c = connections_.front(); c; c = connections_.next(*c)) {
    c->abandon();
  }
  ledger_.abandon();
}

}  // namespace celadon::server
