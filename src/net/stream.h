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

namespace celadon::net {

// What one attempt at input or output came to.
struct Io {
  enum class Step : std::uint8_t { Done, Again, Eof, Failed };
  Step step = Step::Done;
  Error error = Error::Other;  // meaningful for Failed
  std::size_t bytes = 0;

  // Of the peer or the way to it; what else fails where a file is sent is the file.
  [[nodiscard]] bool is_of_peer() const noexcept {
    return step == Step::Failed && (error == Error::Reset || error == Error::TimedOut);
  }
};

// When bytes leave that could.
enum class Leave : std::uint8_t {
  Now,
  WithNext,   // more follows at once: the kernel may wait for it to fill the segment
  AtTurnEnd,  // with others that end in this turn: only queued here, until flush()
};

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
  Stream(int fd, StreamEvents& events, OutPool& pool) noexcept
      : fd_(fd), events_(&events), pool_(&pool) {}
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
  [[nodiscard]] std::size_t queued() const noexcept { return out_ ? out_->bytes() : 0; }

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
  // sendfile(2), past the queue, which must be empty. Advances `offset`.
  [[nodiscard]] Io send_file(int file, off_t& offset, std::size_t count) noexcept;
  // Asks for on_drained() once the kernel takes output again.
  void want_write() noexcept;

  // Somebody else reads and writes from here on, by a descriptor of his own: nothing is
  // told of it, and nothing may be queued. Once the stream is closed his has its end.
  void let_rest() noexcept;
  // It is read and written here again.
  void take_back() noexcept;

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
};

}  // namespace celadon::net
