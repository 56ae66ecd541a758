#include "net/stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "net/guard.h"
#include "net/kernel.h"

namespace celadon::net {
namespace {

Io from_errno() noexcept {
  if (errno == EAGAIN) return {Io::Step::Again};
  return {Io::Step::Failed, error_from_errno(errno)};
}

template <class Call>
ssize_t retry_interrupted(Call call) noexcept {
  ssize_t n = call();
  while (n < 0 && errno == EINTR) n = call();
  return n;
}

}  // namespace

Io receive_from(int fd, std::span<char> into) noexcept {
  const ssize_t n = retry_interrupted([&] { return kernel::recv(fd, into); });
  if (n > 0) return {Io::Step::Done, Error::Other, static_cast<std::size_t>(n)};
  if (n == 0) return {Io::Step::Eof};
  return from_errno();
}

Stream::Stream(int fd, StreamEvents& events, OutPool& pool) noexcept
    : fd_(fd), events_(&events), pool_(&pool) {}

Stream::~Stream() {
  close();
}

std::expected<void, Error> Stream::attach(loop::Loop& loop) noexcept {
  auto added = loop.watch(fd_, loop::kRead, *this);
  if (!added) return added;
  loop_ = &loop;
  interest_ = loop::kRead;
  return {};
}

int Stream::detach() noexcept {
  ASSERT(queued() == 0, "a stream leaves its loop with output queued");
  if (loop_) loop_->poller().remove(fd_, *this);
  return surrender();
}

int Stream::surrender() noexcept {
  loop_ = nullptr;
  interest_ = 0;
  return std::exchange(fd_, -1);
}

void Stream::set_interest(std::uint8_t interest) noexcept {
  if (interest == interest_ || !loop_) return;
  interest_ = interest;
  // What the poller knows it can change.
  [[maybe_unused]] const auto done = loop_->poller().modify(fd_, interest, *this);
}

void Stream::set_reading(bool on) noexcept {
  const auto read = static_cast<std::uint8_t>(on ? loop::kRead : 0);
  if (guard_ && on && !reading() && guard_->has_more()) tell_again();
  set_interest(static_cast<std::uint8_t>((interest_ & loop::kWrite) | read));
}

void Stream::want_write() noexcept {
  const auto read = static_cast<std::uint8_t>(interest_ & loop::kRead);
  set_interest(static_cast<std::uint8_t>(read | loop::kWrite));
}

Io Stream::read(std::span<char> into) noexcept {
  if (guard_) [[unlikely]]
    return read_opened(into);
  return receive_from(fd_, into);
}

void Stream::note_sent(std::size_t bytes) noexcept {
  sent_ += bytes;
  events_->on_sent(bytes);
}

Io Stream::write_some(std::span<const iovec> pieces, Leave leave) noexcept {
  if (guard_) [[unlikely]]
    return write_sealed(pieces);
  const int flags = leave == Leave::WithNext ? MSG_MORE : 0;
  const ssize_t n = retry_interrupted([&] { return kernel::send(fd_, pieces, flags); });
  if (n < 0) return from_errno();
  note_sent(static_cast<std::size_t>(n));
  return {Io::Step::Done, Error::Other, static_cast<std::size_t>(n)};
}

// --- with a cipher before the socket ---

void Stream::guard(std::unique_ptr<Cipher> cipher, std::string_view received) noexcept {
  ASSERT(queued() == 0, "a cipher comes behind output that is queued");
  guard_ = std::make_unique<Guard>(*this, fd_, std::move(cipher), received);
  if (guard_->has_more() && reading()) tell_again();
}

void Stream::unguard() noexcept {
  ASSERT(!guard_ || sealed() == 0, "a cipher goes before what it has sealed");
  guard_.reset();
}

const Cipher* Stream::cipher() const noexcept {
  return guard_ ? &guard_->cipher() : nullptr;
}

std::size_t Stream::sealed() const noexcept {
  return guard_->sealed().size();
}

void Stream::tell_again() noexcept {
  if (guard_ && loop_) loop_->tell_again(*guard_);
}

bool Stream::told_again() const noexcept {
  return guard_ && guard_->linked();
}

Io Stream::shake() noexcept {
  const Io io = guard_->cipher().shake(*guard_);
  send_what_was_said();
  if (io.step == Io::Step::Done && guard_->has_more()) tell_again();
  return io;
}

Io Stream::read_opened(std::span<char> into) noexcept {
  const Io io = guard_->cipher().open(*guard_, into);
  send_what_was_said();
  if (io.step == Io::Step::Done && guard_->has_more()) tell_again();
  return io;
}

// What a cipher says of its own while it reads: an alert, a ticket, a new key. That the
// peer is gone the next write finds.
void Stream::send_what_was_said() noexcept {
  if (sealed() == 0 || waits_to_write()) return;
  if (send_sealed().step == Io::Step::Again) want_write();
}

// Done: the kernel has all of it.
Io Stream::send_sealed() noexcept {
  while (sealed() > 0) {
    const std::string_view rest = guard_->sealed();
    const iovec whole{const_cast<char*>(rest.data()), rest.size()};
    const ssize_t n =
        retry_interrupted([&] { return kernel::send(fd_, {&whole, 1}, 0); });
    if (n < 0) return from_errno();
    guard_->pass(static_cast<std::size_t>(n));
    note_sent(static_cast<std::size_t>(n));
  }
  return {};
}

// What is sealed is taken, whether the kernel has it or not.
Io Stream::write_sealed(std::span<const iovec> pieces) noexcept {
  if (const Io before = send_sealed(); before.step != Io::Step::Done) return before;
  const Io io = guard_->cipher().seal(*guard_, pieces);
  const Io sent = send_sealed();
  return sent.step == Io::Step::Failed ? sent : io;
}

Io Stream::seal_file(int file, off_t& offset, std::size_t count) noexcept {
  if (const Io before = send_sealed(); before.step != Io::Step::Done) return before;
  std::array<char, 16 * 1024> some;
  const ssize_t n = retry_interrupted([&] {
    return kernel::read_file(file, std::span(some).first(std::min(count, some.size())),
                             offset);
  });
  if (n == 0) return {Io::Step::Eof};
  if (n < 0) return from_errno();
  const iovec piece{some.data(), static_cast<std::size_t>(n)};
  const Io io = write_sealed({&piece, 1});
  if (io.step == Io::Step::Done) offset += static_cast<off_t>(io.bytes);
  if (sealed() > 0) want_write();
  return io;
}

Io Stream::send(std::string_view copied, std::string_view held, Owner owner,
                std::string_view tail, Leave leave) noexcept {
  std::size_t sent = 0;
  if (out_ && out_->empty()) drop_queue();  // by another thread all of it was sent
  if (leave != Leave::AtTurnEnd && queued() == 0 && open()) {
    std::array<iovec, 3> pieces;
    std::size_t count = 0;
    for (const std::string_view piece : {copied, held, tail}) {
      if (piece.empty()) continue;
      pieces[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    if (count > 0) {
      const Io io = write_some(std::span(pieces).first(count), leave);
      if (io.step == Io::Step::Failed) {
        if (owner.release) owner.release(owner.object);
        return io;
      }
      sent = io.bytes;
      if (guard_ && sealed() > 0) want_write();
    }
  }
  const std::size_t total = copied.size() + held.size() + tail.size();
  if (sent == total || !open()) {
    if (owner.release) owner.release(owner.object);
    if (!open()) return {Io::Step::Failed, Error::Reset};
    return {Io::Step::Done, Error::Other, total};
  }
  const bool held_back = queued() > 0 && (interest_ & loop::kWrite) == 0;
  queue_rest(sent, copied, held, owner, tail);
  if (leave != Leave::AtTurnEnd) {
    if (held_back) return flush();  // what was only queued leaves with this
    want_write();
  }
  return {Io::Step::Again, Error::Other, sent};
}

void Stream::queue_rest(std::size_t sent, std::string_view copied,
                        std::string_view held, Owner owner,
                        std::string_view tail) noexcept {
  if (!out_) out_ = pool_->take();
  const auto rest = [&sent](std::string_view piece) {
    const std::size_t skip = std::min(sent, piece.size());
    sent -= skip;
    return piece.substr(skip);
  };
  out_->append_copy(rest(copied));
  // A small piece is cheaper to copy than to keep alive.
  constexpr std::size_t kSmall = 4096;
  const std::string_view kept = rest(held);
  if (owner.release && kept.size() > kSmall) {
    out_->append_owned(kept, owner);
  } else {
    out_->append_copy(kept);
    if (owner.release) owner.release(owner.object);
  }
  out_->append_copy(rest(tail));
}

// The kernel that is full would say so if it were asked again.
Io Stream::write_queued() noexcept {
  if (guard_) [[unlikely]] {
    if (const Io io = send_sealed(); io.step != Io::Step::Done || !out_) return io;
  }
  std::array<iovec, 64> pieces;
  const std::size_t count = out_->gather(pieces);
  std::size_t offered = 0;
  for (const iovec& piece : std::span(pieces).first(count)) offered += piece.iov_len;
  Io io = write_some(std::span(pieces).first(count));
  const bool is_full = guard_ ? sealed() > 0 : io.bytes < offered;
  if (io.step == Io::Step::Done && is_full) io.step = Io::Step::Again;
  return io;
}

void Stream::send_queued() noexcept {
  if (!open() || waits_to_write()) return;
  while (queued() > 0) {
    const Io io = write_queued();
    if (out_) out_->pass_over(io.bytes);
    if (io.step != Io::Step::Done) return;
  }
}

Io Stream::flush() noexcept {
  while (queued() > 0) {
    const Io io = write_queued();
    if (out_) out_->consume(io.bytes);
    if (io.step == Io::Step::Again) want_write();
    if (io.step != Io::Step::Done) return io;
  }
  drop_queue();
  set_interest(static_cast<std::uint8_t>(interest_ & ~loop::kWrite));
  return {};
}

Io Stream::send_file(int file, off_t& offset, std::size_t count) noexcept {
  if (guard_) [[unlikely]]
    return seal_file(file, offset, count);
  const ssize_t n =
      retry_interrupted([&] { return kernel::send_file(fd_, file, offset, count); });
  if (n > 0) {
    note_sent(static_cast<std::size_t>(n));
    return {Io::Step::Done, Error::Other, static_cast<std::size_t>(n)};
  }
  if (n == 0) return {Io::Step::Eof};
  return from_errno();
}

void Stream::on_io(std::uint8_t ready) noexcept {
  if ((ready & (loop::kRead | loop::kHangup)) && reading()) events_->on_readable();
  if (!open()) return;
  if ((ready & (loop::kWrite | loop::kHangup)) && (interest_ & loop::kWrite)) {
    const Io io = flush();
    if (!open()) return;
    if (io.step == Io::Step::Failed) {
      events_->on_hangup();
    } else if (io.step == Io::Step::Done) {
      events_->on_drained();
    }
  } else if ((ready & loop::kHangup) && !reading() && !rests()) {
    rest_in_hangup();
  }
}

// The poller would say so in every turn, and there is nothing to do about it: what came
// may be read later, and only a write can tell whether anybody is there.
void Stream::rest_in_hangup() noexcept {
  if (kernel::is_broken(fd_)) {
    events_->on_hangup();
    return;
  }
  set_interest(loop::kOneShot);  // it is told once more
}

std::size_t Stream::unsent() const noexcept {
  return open() ? kernel::unsent(fd_) : 0;
}

std::uint64_t Stream::delivered() const noexcept {
  return sent_ - unsent();
}

std::optional<Nanos> Stream::since_acknowledged() const noexcept {
  return open() ? kernel::since_acknowledged(fd_) : std::nullopt;
}

// What the kernel holds for a unix socket counts more than its bytes.
Delivery Stream::delivery() const noexcept {
  return {.sent = sent_ + queued(),
          .taken = sent_ - std::min<std::uint64_t>(sent_, unsent())};
}

void Stream::let_rest() noexcept {
  ASSERT(queued() == 0, "a stream is lent with output queued");
  was_lent_ = true;
  set_interest(loop::kOneShot);
}

void Stream::take_back() noexcept {
  if (!open()) return;
  // He may have had it block.
  [[maybe_unused]] const int done = kernel::make_ours(fd_);
}

void Stream::say_goodbye() noexcept {
  if (!guard_ || sealed() > 0) return;
  guard_->cipher().say_goodbye(*guard_);
  // The peer may do without it, and does where the kernel has no room.
  [[maybe_unused]] const Io io = send_sealed();
}

void Stream::shutdown_write() noexcept {
  say_goodbye();
  kernel::shutdown(fd_, SHUT_WR);
}

void Stream::close() noexcept {
  if (fd_ < 0) return;
  if (loop_) loop_->poller().remove(fd_, *this);
  if (is_shared()) kernel::shutdown(fd_, SHUT_RDWR);
  kernel::close(std::exchange(fd_, -1));
  drop_queue();
  if (guard_) guard_->drop();
}

void Stream::reset() noexcept {
  if (fd_ < 0) return;
  kernel::reset_on_close(fd_);
  // Where others hold it too a close ends nothing, and a shutdown sends a FIN first.
  if (is_shared()) kernel::disconnect(fd_);
  close();
}

void Stream::abandon() noexcept {
  if (fd_ >= 0) kernel::close(std::exchange(fd_, -1));
  drop_queue();
  if (guard_) guard_->drop();
}

}  // namespace celadon::net
