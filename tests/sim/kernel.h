// The kernel of a simulated world: listeners, connections and files behind descriptors
// of its own, instead of those of net/kernel.cc and server/spool.cc.
//
//   client ─► up.sending ─► up.arrived ─► server        (and `down` the other way)
//
// Each part is bounded. What is in `sending` moves when the world says so; an end
// (FIN) follows the bytes, a reset overtakes them. As Linux has it: a close with bytes
// unread, and bytes that come after a close, make a reset; what a reset finds unread on
// the server's side can be read still, on the client's side it is lost, unless the mood
// spares it. The two ends of a unix socket have nothing between them, and know at once
// when the other is closed.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sim/choices.h"
#include "sim/scenario.h"

namespace celadon::sim {

// A queue of bytes.
class Bytes {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return data_.size() - at_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::string_view view() const noexcept {
    return std::string_view(data_).substr(at_);
  }
  void append(std::string_view bytes) { data_.append(bytes); }
  void drop(std::size_t n) noexcept;
  void clear() noexcept;

 private:
  std::string data_;
  std::size_t at_ = 0;
};

struct Direction {
  Bytes sending;
  Bytes arrived;
  bool ended = false;          // the sender has said its last
  bool end_arrived = false;    // and the receiver can see that
  Nanos end_at = -1;           // since then
  std::uint64_t accepted = 0;  // bytes the kernel took from the sender
  std::uint64_t delivered = 0;
  std::uint64_t taken = 0;         // by the receiver
  std::uint64_t taken_before = 0;  // likewise, when this turn began
  std::size_t send_buffer = 0;
  std::size_t receive_buffer = 0;
};

// Why a reset was sent to the client.
enum class Cause : std::uint8_t { None, Deliberate, UnreadAtClose, CameAfterClose };

struct Moment {
  Nanos at;
  std::uint64_t bytes;
};

// One connection with both its ends.
struct Link {
  std::size_t client = 0;
  bool unix_socket = false;
  Direction up;
  Direction down;
  // The server's end.
  unsigned holders = 0;  // descriptors of it
  bool accepted = false;
  bool no_delay = false;
  bool linger_zero = false;
  bool server_shut = false;
  bool evicted = false;
  bool unwatched = false;  // the poller had no room for it when it was asked last
  bool server_closed = false;
  bool broken = false;  // a reset has arrived
  bool told_broken = false;
  bool send_failed = false;  // the server knows from a write that the client is gone
  // The client's end.
  bool client_closed = false;
  bool client_reset = false;  // a reset has arrived
  std::string lost;           // what it had received and not read
  bool vanished = false;      // nobody is there any more, and nobody says so
  // On the wire.
  bool reset_to_client = false;
  bool reset_to_server = false;
  Cause cause = Cause::None;
  // For the oracle.
  Nanos connected_at = 0;
  Nanos accepted_at = 0;
  Nanos shut_at = 0;              // our end, by the server
  Nanos last_arrival = 0;         // of bytes at the server
  Nanos last_delivery = 0;        // what the client had not taken became less
  Nanos blocked_since = kNever;   // a write took less than was there
  Nanos blocked_before = kNever;  // likewise, until the last whole write
  Nanos whole_write_at = 0;
  Nanos last_write = 0;              // of which the kernel took something
  std::uint64_t shut_taken = 0;      // up.taken, then
  std::uint64_t shut_delivered = 0;  // up.delivered, then
  Nanos shut_taking = 0;             // last_delivery, then
  bool shut_behind_end = false;      // the client's end had arrived before
  std::uint64_t destroyed = 0;       // unsent bytes that a close of ours threw away
  std::deque<Moment> deliveries;     // what the client had, after each
  std::deque<Moment> arrivals;       // up.delivered after each
};

// What the world hears of.
class KernelEvents {
 public:
  virtual ~KernelEvents() = default;
  virtual void on_accepted(Link& link) = 0;
  virtual void on_server_wrote(Link& link, std::string_view bytes) = 0;
  virtual void on_server_read(Link& link) = 0;   // and it was given some
  virtual void on_server_shut(Link& link) = 0;   // its end is shut
  virtual void on_server_close(Link& link) = 0;  // the last descriptor is about to go
};

class Kernel {
 public:
  Kernel(const Moods& moods, Choices& choices, Clock& clock, KernelEvents& events);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  // The one that the server's calls reach.
  [[nodiscard]] static Kernel& current() noexcept;

  // --- for clients and the world ---
  [[nodiscard]] int listen(bool unix_socket, bool no_delay);
  Link& connect(int listener, std::size_t client, std::size_t buffer);
  std::size_t client_write(Link& link, std::string_view bytes);
  // At most `most` bytes of what has arrived.
  std::string_view client_peek(Link& link, std::size_t most) const;
  void client_take(Link& link, std::size_t n);
  void client_shut(Link& link);
  void client_close(Link& link);
  void client_reset(Link& link);
  // Something of it is on the wire, and there is room where it goes.
  [[nodiscard]] static bool can_move(const Link& link) noexcept;
  void move(Link& link);
  // What the client has written is there at once, as far as there is room.
  void hurry(Link& link);
  [[nodiscard]] const std::vector<std::unique_ptr<Link>>& links() const noexcept {
    return links_;
  }
  [[nodiscard]] int open_file(std::uint64_t content, std::uint64_t size);
  void close_file(int fd);
  [[nodiscard]] std::string_view spooled(int fd) const;
  [[nodiscard]] int duplicate(int fd);
  // Null: it is none of a connection.
  [[nodiscard]] Link* link_of(int fd) const noexcept { return at(fd).link; }
  [[nodiscard]] std::size_t client_of(int fd) const noexcept {
    return at(fd).link->client;
  }
  // Descriptors of connections and spool files that are open.
  [[nodiscard]] std::size_t open_descriptors() const noexcept;
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  // The server is called from there on; bytes of the stack that it has needed since.
  void set_base(const void* base) noexcept {
    base_ = reinterpret_cast<std::uintptr_t>(base);
    deepest_ = 0;
  }
  [[nodiscard]] std::size_t deepest() const noexcept { return deepest_; }

  // --- for the poller ---
  [[nodiscard]] static bool is_ours(int fd) noexcept { return fd >= kBase; }
  // A set of loop::kRead, kWrite and kHangup.
  [[nodiscard]] std::uint8_t readiness(int fd) const noexcept;

  // --- for the server ---
  ssize_t recv(int fd, std::span<char> into);
  ssize_t send(int fd, std::span<const iovec> pieces);
  ssize_t send_file(int fd, int file, off_t& offset, std::size_t count);
  ssize_t read_file(int file, std::span<char> into, off_t offset);
  void shutdown(int fd, int how);
  // Not acknowledged by the peer's kernel yet.
  [[nodiscard]] std::size_t unsent(int fd) const noexcept;
  [[nodiscard]] std::optional<Nanos> since_acknowledged(int fd) const noexcept;
  [[nodiscard]] bool is_broken(int fd) noexcept;
  void close(int fd);
  void reset_on_close(int fd);
  void no_delay(int fd);
  [[nodiscard]] bool is_unix(int fd) const noexcept;
  [[nodiscard]] bool is_listener(int fd) const noexcept;
  int accept(int listener, bool& unix_socket, std::size_t& client);
  int open_spool();
  bool write_spool(int fd, std::string_view data);

 private:
  static constexpr int kBase = 1 << 20;
  enum class Kind : std::uint8_t { Closed, Listener, Connection, File, Spool };
  struct Descriptor {
    Kind kind = Kind::Closed;
    bool unix_socket = false;
    bool no_delay = false;
    Link* link = nullptr;
    std::deque<Link*> queue;    // of a listener
    std::uint64_t content = 0;  // of a file
    std::uint64_t size = 0;
    std::string spooled;
  };
  [[nodiscard]] Descriptor& at(int fd) noexcept {
    return *descriptors_[static_cast<std::size_t>(fd - kBase)];
  }
  [[nodiscard]] const Descriptor& at(int fd) const noexcept {
    return *descriptors_[static_cast<std::size_t>(fd - kBase)];
  }
  int add(Kind kind);
  void note_depth() noexcept;
  // Says EAGAIN or EINTR for nothing.
  bool refuses();
  std::size_t some_of(std::size_t n);
  std::size_t room(Link& link);
  void note_write(Link& link, std::size_t wanted, std::size_t taken);
  void move_up(Link& link);
  void move_down(Link& link);
  void close_server_end(Link& link);
  void drop_down(Link& link);
  void reset_client(Link& link, Cause cause);

  const Moods& moods_;
  Choices& choices_;
  Clock& clock_;
  KernelEvents& events_;
  std::vector<std::unique_ptr<Descriptor>> descriptors_;
  std::vector<std::unique_ptr<Link>> links_;
  Number accepts_ = 0;
  Number refused_accepts_ = 0;
  Number strays_ = 0;
  std::uint64_t calls_ = 0;
  std::uintptr_t base_ = 0;
  std::size_t deepest_ = 0;
};

}  // namespace celadon::sim
