// A connected byte stream: reads on demand, writes at once where the kernel takes it
// and queues the rest. Its owner hears of it through Events and decides everything
// else.
//
// Read interest stays armed; the poller is touched only when a write would block, when
// the owner stops or resumes reading, and at the end. From attach() to then it knows
// the descriptor: to be added anew could fail. A stream can leave one loop and join
// another: detach() hands the descriptor out once nothing is queued.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/delivery.h"
#include "base/out_queue.h"
#include "loop/loop.h"
#include "net/cipher.h"
#include "net/io.h"

namespace celadon::net {

class Guard;

// When bytes leave that could.
enum class Leave : std::uint8_t {
  Now,
  WithNext,   // more follows at once: the kernel may wait for it to fill the segment
  AtTurnEnd,  // with others that end in this turn: only queued here, until flush()
};

// One attempt to read from a socket.
[[nodiscard]] Io receive_from(int fd, std::span<char> into) noexcept;

class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  // Told again in each turn as long as anything is left to read: bytes, the end of the
  // file, or the failure that follows them. What came before a reset is read first.
  virtual void on_readable() noexcept = 0;
  virtual void on_drained() noexcept = 0;        // the output queue has become empty
  virtual void on_hangup() noexcept = 0;         // the peer is gone: nothing reaches it
  virtual void on_sent(std::size_t) noexcept {}  // the kernel has taken bytes
};

class Stream : public loop::IoHandler {
 public:
  // Takes the descriptor over: connected, non-blocking, close-on-exec. What it queues
  // comes from the pool.
  Stream(int fd, StreamEvents& events, OutPool& pool) noexcept;
  ~Stream() override;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] std::expected<void, Error> attach(loop::Loop& loop) noexcept;
  // Leaves the loop; the caller owns the descriptor from now on.
  [[nodiscard]] int detach() noexcept;

  // Likewise, where the poller knows it no more and the loop is not to be touched.
  [[nodiscard]] int surrender() noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] bool open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] bool reading() const noexcept { return (interest_ & loop::kRead) != 0; }
  // on_drained() follows.
  [[nodiscard]] bool waits_to_write() const noexcept {
    return (interest_ & loop::kWrite) != 0;
  }
  // Bytes the kernel has taken since the stream was made.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::size_t queued() const noexcept {
    return (out_ ? out_->bytes() : 0) + (guard_ ? sealed() : 0);
  }

  // From here on a cipher stands before the socket; `received` was read already and is
  // for it. Nothing may be queued. shake() comes first.
  void guard(std::unique_ptr<Cipher> cipher, std::string_view received) noexcept;
  // Goes on with the handshake. Failed: what tells the peer so has left, if it could.
  [[nodiscard]] Io shake() noexcept;
  // Null: bytes go as they are. It stays when the stream is closed: a request may be
  // with an application still.
  [[nodiscard]] const Cipher* cipher() const noexcept;
  // Bytes go as they are again: the peer does not speak the cipher's language.
  void unguard() noexcept;
  // on_readable() comes in the next turn, whatever the poller says.
  void tell_again() noexcept;
  // That it will be so: something is here that was not looked at.
  [[nodiscard]] bool told_again() const noexcept;

  [[nodiscard]] Io read(std::span<char> into) noexcept;
  void set_reading(bool on) noexcept;

  // Sends `copied`, then `held`, then `tail`, as one write where possible. What the
  // kernel does not take is queued, `held` by keeping its owner. The owner is taken
  // over in every case; it may be empty if `held` is. Failed: the peer is gone.
  Io send(std::string_view copied, std::string_view held, Owner owner,
          std::string_view tail, Leave leave = Leave::Now) noexcept;
  // Writes what is queued, as far as it goes.
  Io flush() noexcept;
  // Likewise, by a thread that has the loop in custody: what keeps the bytes stays, and
  // what has failed the next flush() finds.
  void send_queued() noexcept;
  // sendfile(2), past the queue, which must be empty; through the cipher, where one is.
  // Advances `offset`.
  [[nodiscard]] Io send_file(int file, off_t& offset, std::size_t count) noexcept;
  // Asks for on_drained() once the kernel takes output again.
  void want_write() noexcept;

  // Somebody else reads and writes from here on, by a descriptor of his own: nothing is
  // told of it, and nothing may be queued. Once the stream is closed his has its end.
  void let_rest() noexcept;
  // It is read and written here again.
  void take_back() noexcept;

  // A cipher tells the peer that nothing more comes: a close alone says so to nobody.
  void say_goodbye() noexcept;
  void shutdown_write() noexcept;
  // Bytes on their way that the peer does not have yet. A unix socket counts the memory
  // that they take.
  [[nodiscard]] std::size_t unsent() const noexcept;
  // Bytes that the peer has, to be compared with what it had before: by that measure it
  // may have less than none.
  [[nodiscard]] std::uint64_t delivered() const noexcept;
  [[nodiscard]] std::optional<Nanos> since_acknowledged() const noexcept;
  // Of all that was ever sent here.
  [[nodiscard]] Delivery delivery() const noexcept;
  void close() noexcept;
  // Closes so that the peer sees a reset and never a complete-looking end.
  void reset() noexcept;
  // After a fork, in the child.
  void abandon() noexcept;

 private:
  friend class Guard;
  // What the poller knows nothing of is there.
  void on_more() noexcept {
    if (open() && reading()) events_->on_readable();
  }
  void on_io(std::uint8_t ready) noexcept override;
  void set_interest(std::uint8_t interest) noexcept;
  void rest_in_hangup() noexcept;
  [[nodiscard]] bool rests() const noexcept { return interest_ == loop::kOneShot; }
  [[nodiscard]] bool is_shared() const noexcept {
    return was_lent_ || (loop_ && loop_->forked());
  }
  void drop_queue() noexcept {
    if (out_) pool_->put(std::move(out_));
  }
  Io write_some(std::span<const iovec> pieces, Leave leave = Leave::Now) noexcept;
  [[nodiscard]] Io write_queued() noexcept;
  [[nodiscard]] std::size_t sealed() const noexcept;
  [[nodiscard]] Io read_opened(std::span<char> into) noexcept;
  [[nodiscard]] Io write_sealed(std::span<const iovec> pieces) noexcept;
  [[nodiscard]] Io send_sealed() noexcept;
  void send_what_was_said() noexcept;
  [[nodiscard]] Io seal_file(int file, off_t& offset, std::size_t count) noexcept;
  void note_sent(std::size_t bytes) noexcept;
  void queue_rest(std::size_t sent, std::string_view copied, std::string_view held,
                  Owner owner, std::string_view tail) noexcept;

  int fd_;
  std::uint8_t interest_ = 0;
  bool was_lent_ = false;  // others may have the socket still
  std::uint64_t sent_ = 0;
  StreamEvents* events_;
  OutPool* pool_;
  loop::Loop* loop_ = nullptr;
  std::unique_ptr<OutQueue> out_;  // only while something waits
  std::unique_ptr<Guard> guard_;   // only with a cipher
};

}  // namespace celadon::net
