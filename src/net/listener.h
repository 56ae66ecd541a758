// A listening socket: opened, inherited or abandoned here, accepted from while started.
// Without descriptors or memory left accepting pauses, it never spins.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "loop/loop.h"
#include "net/address.h"

namespace celadon::net {

struct ListenOptions {
  int backlog = 2048;
  std::uint32_t unix_mode = 0777;  // of a unix socket's file, as after `umask`
  bool reuse_port = false;
  int keepalive = 0;     // seconds of silence until the kernel probes a peer; 0: never
  bool v6_only = false;  // an address of IPv6 that stands for every one is not IPv4's
};

// An open, listening, non-blocking descriptor and what it is bound to.
class ListenSocket {
 public:
  static std::expected<ListenSocket, Error> open(const BindTarget& target,
                                                 const ListenOptions& options) noexcept;
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&& other) noexcept;
  ~ListenSocket() { close(); }

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] const Address& address() const noexcept { return address_; }
  // How many may wait to be accepted; of one that was inherited: should.
  [[nodiscard]] int backlog() const noexcept { return backlog_; }
  // `http://127.0.0.1:8000`, `unix:/run/x.sock`: for people.
  [[nodiscard]] std::string describe() const;
  // Also removes the file of a unix socket that it made.
  void close() noexcept;
  // The file of a unix socket is another process's to remove.
  void disown_file() noexcept { owns_file_ = false; }
  // Closes without removing the file: for a forked child.
  void abandon() noexcept;

 private:
  ListenSocket(int fd, std::string path) noexcept;
  int fd_;
  Address address_;
  std::string path_;  // of a unix socket; an abstract name starts with '@'
  int backlog_ = 0;
  bool owns_file_ = false;
};

class Acceptor {
 public:
  virtual ~Acceptor() = default;
  enum class Next : std::uint8_t {
    More,
    Stop,   // no more connections until the listener is started again
    Pause,  // nobody can be accepted for now, whoever comes
  };
  // Takes the descriptor over.
  virtual Next on_accept(int fd, const Address& peer,
                         class Listener& from) noexcept = 0;
  // Nobody can be accepted for now, whoever comes; the listener pauses.
  virtual void on_accept_error(Error error) noexcept = 0;
};

class Listener final : private loop::IoHandler, private loop::Timer {
 public:
  Listener(loop::Loop& loop, ListenSocket socket, Acceptor& acceptor) noexcept;
  ~Listener() override;

  [[nodiscard]] std::expected<void, Error> start() noexcept;
  // Likewise; where the poller has no room for it, as soon as it has.
  void resume() noexcept;
  void stop() noexcept;
  [[nodiscard]] bool started() const noexcept { return started_; }
  [[nodiscard]] const ListenSocket& socket() const noexcept { return socket_; }
  // Takes what the kernel has queued already, then closes, so that nobody is let in who
  // would wait for nothing. Who comes meanwhile is too late, however many these are.
  void accept_queued_and_close() noexcept;
  void abandon() noexcept;

 private:
  static constexpr int kAcceptBatch = 64;
  static constexpr Nanos kPause = 100 * kMillisecond;

  void on_io(std::uint8_t ready) noexcept override;
  void on_timer() noexcept override;
  enum class Accepted : std::uint8_t {
    One,
    Lost,  // the next one has left, or broke before it was accepted
    None,
    Refused,
    Paused,
  };
  Accepted accept_one() noexcept;
  void pause() noexcept;

  loop::Loop& loop_;
  ListenSocket socket_;
  Acceptor& acceptor_;
  bool started_ = false;
};

}  // namespace celadon::net
