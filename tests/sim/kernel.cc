#include "sim/kernel.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "loop/poller.h"
#include "sim/content.h"

namespace celadon::sim {
namespace {

Kernel* installed = nullptr;  // the calls of net::kernel have no object

void note(std::deque<Moment>& moments, Moment moment) {
  if (!moments.empty() && moments.back().at == moment.at) {
    moments.back() = moment;
  } else {
    moments.push_back(moment);
  }
}

}  // namespace

void Bytes::drop(std::size_t n) noexcept {
  at_ += n;
  if (at_ == data_.size()) {
    clear();
  } else if (at_ > 4096 && at_ * 2 > data_.size()) {
    data_.erase(0, at_);
    at_ = 0;
  }
}

void Bytes::clear() noexcept {
  data_.clear();
  at_ = 0;
}

Kernel::Kernel(const Moods& moods, Choices& choices, Clock& clock, KernelEvents& events)
    : moods_(moods), choices_(choices), clock_(clock), events_(events) {
  CHECK(!installed, "one kernel at a time");
  installed = this;
}

Kernel::~Kernel() {
  installed = nullptr;
}

Kernel& Kernel::current() noexcept {
  CHECK(installed, "a call outside of any world");
  return *installed;
}

int Kernel::add(Kind kind) {
  descriptors_.push_back(std::make_unique<Descriptor>());
  descriptors_.back()->kind = kind;
  return kBase + static_cast<int>(descriptors_.size()) - 1;
}

int Kernel::listen(bool unix_socket, bool no_delay) {
  const int fd = add(Kind::Listener);
  at(fd).unix_socket = unix_socket;
  at(fd).no_delay = no_delay;
  return fd;
}

Link& Kernel::connect(int listener, std::size_t client, std::size_t buffer) {
  auto& link = *links_.emplace_back(std::make_unique<Link>());
  link.client = client;
  link.unix_socket = at(listener).unix_socket;
  link.connected_at = clock_.now();
  link.up.send_buffer = link.down.receive_buffer = buffer;
  link.up.receive_buffer = static_cast<std::size_t>(moods_.receive_buffer);
  link.down.send_buffer = static_cast<std::size_t>(moods_.send_buffer);
  at(listener).queue.push_back(&link);
  return link;
}

// --- clients ---

std::size_t Kernel::client_write(Link& link, std::string_view bytes) {
  if (link.client_reset || link.up.ended) return 0;
  const std::size_t room =
      link.up.send_buffer - std::min(link.up.send_buffer, link.up.sending.size());
  const std::size_t n = std::min(room, bytes.size());
  link.up.sending.append(bytes.substr(0, n));
  link.up.accepted += n;
  return n;
}

std::string_view Kernel::client_peek(Link& link, std::size_t most) const {
  return link.down.arrived.view().substr(0, most);
}

void Kernel::client_take(Link& link, std::size_t n) {
  link.down.arrived.drop(n);
  link.down.taken += n;
  if (!link.unix_socket || n == 0) return;
  link.last_delivery = clock_.now();
  note(link.deliveries, {clock_.now(), link.down.taken});
}

void Kernel::client_shut(Link& link) {
  link.up.ended = true;
}

void Kernel::client_close(Link& link) {
  link.client_closed = true;
  const bool unread = !link.down.arrived.empty();
  if (unread && !link.unix_socket) {
    client_reset(link);
    return;
  }
  link.up.ended = true;
  if (link.unix_socket) {
    while (!link.up.sending.empty()) move_up(link);
    link.up.end_arrived = true;
    link.up.end_at = clock_.now();
    link.broken = link.broken || unread;
  }
}

void Kernel::client_reset(Link& link) {
  if (link.unix_socket) return client_close(link);
  link.client_closed = true;
  link.up.sending.clear();
  link.up.ended = true;
  link.reset_to_server = true;
}

// --- the wire ---

bool Kernel::can_move(const Link& link) noexcept {
  if (link.vanished) return false;
  if (link.reset_to_client || link.reset_to_server) return true;
  const Direction& up = link.up;
  const Direction& down = link.down;
  if (!up.sending.empty()) {
    if (link.server_closed || up.arrived.size() < up.receive_buffer) return true;
  } else if (up.ended && !up.end_arrived) {
    return true;
  }
  if (!down.sending.empty()) {
    return link.client_closed || down.arrived.size() < down.receive_buffer;
  }
  return down.ended && !down.end_arrived;
}

void Kernel::move(Link& link) {
  if (link.reset_to_server && choices_.percent(50)) {
    link.reset_to_server = false;
    link.broken = true;
    drop_down(link);
    link.up.sending.clear();
    return;
  }
  if (link.reset_to_client && choices_.percent(50)) {
    link.reset_to_client = false;
    link.client_reset = true;
    link.up.sending.clear();
    if (moods_.spares == 0 && !link.unix_socket) {
      link.lost = link.down.arrived.view();
      link.down.arrived.clear();
    }
    return;
  }
  if (choices_.percent(50)) {
    move_up(link);
  } else {
    move_down(link);
  }
}

void Kernel::hurry(Link& link) {
  const Direction& up = link.up;
  while (!up.sending.empty() && up.arrived.size() < up.receive_buffer) move_up(link);
}

void Kernel::move_up(Link& link) {
  Direction& up = link.up;
  if (up.sending.empty()) {
    up.end_arrived = up.ended;
    if (up.ended && up.end_at < 0) up.end_at = clock_.now();
    return;
  }
  if (link.server_closed) {
    up.sending.clear();
    if (!link.client_closed || !link.unix_socket) {
      reset_client(link, Cause::CameAfterClose);
    }
    return;
  }
  if (up.arrived.size() >= up.receive_buffer && !link.client_closed) return;
  const std::size_t fits = up.receive_buffer > up.arrived.size()
                               ? up.receive_buffer - up.arrived.size()
                               : up.sending.size();
  const std::size_t n = std::min(fits, some_of(up.sending.size()));
  up.arrived.append(up.sending.view().substr(0, n));
  up.sending.drop(n);
  up.delivered += n;
  link.last_arrival = clock_.now();
  note(link.arrivals, {clock_.now(), up.delivered});
}

void Kernel::move_down(Link& link) {
  Direction& down = link.down;
  if (down.sending.empty()) {
    down.end_arrived = down.ended;
    return;
  }
  if (link.client_closed) {
    drop_down(link);
    link.reset_to_server = true;
    return;
  }
  if (down.arrived.size() >= down.receive_buffer) return;
  const std::size_t n =
      std::min(down.receive_buffer - down.arrived.size(), some_of(down.sending.size()));
  down.arrived.append(down.sending.view().substr(0, n));
  down.sending.drop(n);
  down.delivered += n;
  link.last_delivery = clock_.now();
  note(link.deliveries, {clock_.now(), down.delivered});
}

void Kernel::drop_down(Link& link) {
  link.destroyed += link.down.sending.size();
  link.down.sending.clear();
}

void Kernel::reset_client(Link& link, Cause cause) {
  if (link.cause == Cause::None) link.cause = cause;
  drop_down(link);
  link.reset_to_client = true;
}

// --- the server ---

// How much of the stack lies between the world and here.
void Kernel::note_depth() noexcept {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (base_ > here) deepest_ = std::max(deepest_, base_ - here);
}

bool Kernel::refuses() {
  ++calls_;
  if (moods_.spurious == 0 ||
      !choices_.percent(static_cast<unsigned>(moods_.spurious))) {
    return false;
  }
  errno = choices_.percent(50) ? EAGAIN : EINTR;
  return true;
}

std::size_t Kernel::some_of(std::size_t n) {
  if (n < 2 || moods_.partial == 0 ||
      !choices_.percent(static_cast<unsigned>(moods_.partial))) {
    return n;
  }
  return 1 + choices_.below(n - 1);
}

ssize_t Kernel::recv(int fd, std::span<char> into) {
  note_depth();
  Link& link = *at(fd).link;
  Direction& up = link.up;
  // Bytes that are there are given, if not at the first call.
  if (refuses() && (errno == EINTR || up.arrived.empty())) return -1;
  if (up.arrived.empty()) {
    if (link.broken && !std::exchange(link.told_broken, true)) {
      errno = ECONNRESET;
      return -1;
    }
    if (link.broken || up.end_arrived) return 0;
    errno = EAGAIN;
    return -1;
  }
  // There is all that fits: a stream socket gives less only when it is interrupted.
  const std::size_t n = some_of(std::min(into.size(), up.arrived.size()));
  std::ranges::copy(up.arrived.view().substr(0, n), into.data());
  up.arrived.drop(n);
  up.taken += n;
  events_.on_server_read(link);
  return static_cast<ssize_t>(n);
}

std::size_t Kernel::unsent(int fd) const noexcept {
  const Link& link = *at(fd).link;
  return link.down.sending.size() + (link.unix_socket ? link.down.arrived.size() : 0);
}

std::optional<Nanos> Kernel::since_acknowledged(int fd) const noexcept {
  const Link& link = *at(fd).link;
  if (link.unix_socket) return std::nullopt;
  return clock_.now() - link.last_delivery;
}

bool Kernel::is_broken(int fd) noexcept {
  Link& link = *at(fd).link;
  return link.broken && !std::exchange(link.told_broken, true);
}

std::size_t Kernel::room(Link& link) {
  const std::size_t held =
      link.down.sending.size() + (link.unix_socket ? link.down.arrived.size() : 0);
  return link.down.send_buffer - std::min(link.down.send_buffer, held);
}

void Kernel::note_write(Link& link, std::size_t wanted, std::size_t taken) {
  link.down.accepted += taken;
  const Nanos now = clock_.now();
  if (taken == wanted) {
    if (link.blocked_since != kNever) link.blocked_before = link.blocked_since;
    link.blocked_since = kNever;
    link.whole_write_at = now;
  } else if (link.blocked_since == kNever) {
    // A queue of many pieces is written in several calls.
    const bool goes_on = link.whole_write_at == now && link.blocked_before != kNever;
    link.blocked_since = goes_on ? link.blocked_before : now;
    link.blocked_before = kNever;
  }
  if (taken == 0) return;
  link.last_write = now;
  if (link.unix_socket) {
    link.down.arrived.append(link.down.sending.view());
    link.down.delivered += link.down.sending.size();
    link.down.sending.clear();
  }
}

ssize_t Kernel::send(int fd, std::span<const iovec> pieces) {
  note_depth();
  Link& link = *at(fd).link;
  std::size_t wanted = 0;
  for (const iovec& piece : pieces) wanted += piece.iov_len;
  if (link.broken || link.server_shut || (link.unix_socket && link.client_closed)) {
    link.send_failed = true;
    errno = std::exchange(link.told_broken, true) ? EPIPE : ECONNRESET;
    return -1;
  }
  if (refuses()) {
    if (errno == EAGAIN) note_write(link, wanted, 0);
    return -1;
  }
  const std::size_t free = room(link);
  if (free == 0) {
    note_write(link, wanted, 0);
    errno = EAGAIN;
    return -1;
  }
  std::size_t left = some_of(std::min(free, wanted));
  const std::size_t n = left;
  for (const iovec& piece : pieces) {
    const std::size_t part = std::min(left, piece.iov_len);
    const std::string_view bytes(static_cast<const char*>(piece.iov_base), part);
    link.down.sending.append(bytes);
    events_.on_server_wrote(link, bytes);
    left -= part;
  }
  note_write(link, wanted, n);
  return static_cast<ssize_t>(n);
}

ssize_t Kernel::send_file(int fd, int file, off_t& offset, std::size_t count) {
  // A kernel that is full and one that is not say different things to that.
  CHECK(count > 0, "no bytes of a file are asked for");
  const Descriptor& source = at(file);
  const auto from = static_cast<std::uint64_t>(offset);
  if (from >= source.size) return 0;
  count = std::min<std::uint64_t>(count, source.size - from);
  std::string bytes;
  append_content(bytes, source.content, from, std::min<std::size_t>(count, 1 << 16));
  const iovec piece{bytes.data(), bytes.size()};
  const ssize_t n = send(fd, {&piece, 1});
  if (n > 0) offset += n;
  return n;
}

ssize_t Kernel::read_file(int file, std::span<char> into, off_t offset) {
  const Descriptor& source = at(file);
  const auto from = static_cast<std::uint64_t>(offset);
  if (from >= source.size) return 0;
  std::string bytes;
  append_content(bytes, source.content, from,
                 std::min<std::uint64_t>(into.size(), source.size - from));
  std::ranges::copy(bytes, into.begin());
  return static_cast<ssize_t>(bytes.size());
}

void Kernel::shutdown(int fd, int) {
  Link& link = *at(fd).link;
  if (std::exchange(link.server_shut, true)) return;
  link.down.ended = true;
  link.shut_at = clock_.now();
  link.shut_taken = link.up.taken;
  link.shut_delivered = link.up.delivered;
  link.shut_taking = link.last_delivery;
  link.shut_behind_end = link.up.end_arrived;
  events_.on_server_shut(link);
}

void Kernel::close(int fd) {
  Descriptor& d = at(fd);
  CHECK(d.kind != Kind::Closed, "a descriptor is closed twice");
  if (d.kind == Kind::Connection && --d.link->holders == 0) close_server_end(*d.link);
  if (d.kind == Kind::Listener) {
    for (Link* link : d.queue) reset_client(*link, Cause::UnreadAtClose);
  }
  d.kind = Kind::Closed;
}

void Kernel::close_server_end(Link& link) {
  events_.on_server_close(link);
  link.server_closed = true;
  const bool unread = !link.up.arrived.empty();
  if (link.unix_socket) {
    link.client_reset = link.client_reset || unread;
    link.down.ended = link.down.end_arrived = true;
    return;
  }
  if (link.broken) return;
  if (link.linger_zero || unread) {
    reset_client(link, link.linger_zero ? Cause::Deliberate : Cause::UnreadAtClose);
    return;
  }
  link.down.ended = true;
}

void Kernel::reset_on_close(int fd) {
  at(fd).link->linger_zero = true;
}

void Kernel::no_delay(int fd) {
  at(fd).no_delay = true;
  if (at(fd).link) at(fd).link->no_delay = true;
}

bool Kernel::is_unix(int fd) const noexcept {
  return at(fd).unix_socket;
}

bool Kernel::is_listener(int fd) const noexcept {
  return at(fd).kind == Kind::Listener;
}

int Kernel::accept(int listener, bool& unix_socket, std::size_t& client) {
  auto& queue = at(listener).queue;
  if (queue.empty()) {
    errno = EAGAIN;
    return -1;
  }
  if (accepts_ >= moods_.no_fds_after && refused_accepts_ < moods_.no_fds) {
    ++refused_accepts_;
    errno = EMFILE;
    return -1;
  }
  if (accepts_ >= moods_.strays_after && strays_ < moods_.strays) {
    ++strays_;
    errno = static_cast<int>(
        choices_.any_of({ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH,
                         EOPNOTSUPP, EPERM, ETIMEDOUT, EINTR}));
    return -1;
  }
  ++accepts_;
  Link& link = *queue.front();
  queue.pop_front();
  const int fd = add(Kind::Connection);
  at(fd).link = &link;
  at(fd).unix_socket = unix_socket = link.unix_socket;
  client = link.client;
  link.accepted = true;
  link.no_delay = at(listener).no_delay;
  link.accepted_at = clock_.now();
  link.holders = 1;
  events_.on_accepted(link);
  return fd;
}

int Kernel::duplicate(int fd) {
  const int copy = add(Kind::Connection);
  at(copy).link = at(fd).link;
  at(copy).unix_socket = at(fd).unix_socket;
  ++at(fd).link->holders;
  return copy;
}

int Kernel::open_file(std::uint64_t content, std::uint64_t size) {
  const int fd = add(Kind::File);
  at(fd).content = content;
  at(fd).size = size;
  return fd;
}

void Kernel::close_file(int fd) {
  at(fd).kind = Kind::Closed;
}

std::string_view Kernel::spooled(int fd) const {
  return at(fd).spooled;
}

int Kernel::open_spool() {
  if (moods_.disk_full == 1) return -1;
  return add(Kind::Spool);
}

bool Kernel::write_spool(int fd, std::string_view data) {
  if (moods_.disk_full != 0) return false;
  at(fd).spooled.append(data);
  return true;
}

std::size_t Kernel::open_descriptors() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(descriptors_, [](const auto& d) {
        return d->kind == Kind::Connection || d->kind == Kind::Spool;
      }));
}

std::uint8_t Kernel::readiness(int fd) const noexcept {
  const Descriptor& d = at(fd);
  if (d.kind == Kind::Listener) return d.queue.empty() ? 0 : loop::kRead;
  if (d.kind != Kind::Connection) return 0;
  const Link& link = *d.link;
  std::uint8_t ready = 0;
  if (!link.up.arrived.empty() || link.up.end_arrived || link.broken) {
    ready |= loop::kRead;
  }
  const std::size_t held =
      link.down.sending.size() + (link.unix_socket ? link.down.arrived.size() : 0);
  if (held * 3 <= link.down.send_buffer * 2 || link.broken) ready |= loop::kWrite;
  const bool both_ended = link.up.end_arrived && link.server_shut;
  if (link.broken || both_ended || (link.unix_socket && link.client_closed)) {
    ready |= loop::kHangup;
  }
  return ready;
}

}  // namespace celadon::sim
