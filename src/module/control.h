// A worker's end of its pair to the master.
#pragma once

#include "loop/loop.h"
#include "net/owned_fd.h"

namespace celadon::module {

class Control final : public loop::IoHandler {
 public:
  // Hears what the master says, and that it is gone.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_master_gone() noexcept = 0;
    virtual void on_told_to_stop(bool quick) noexcept = 0;
  };
  Control(loop::Loop& loop, net::OwnedFd fd, Listener& listener) noexcept
      : loop_(loop), fd_(std::move(fd)), listener_(listener) {}
  ~Control() override { close(); }

  // What the master says, in one byte; a signal says the same, if nobody takes it away.
  static constexpr char kStop = 'T';
  static constexpr char kStopAtOnce = 'Q';
  // What a worker says, likewise.
  static constexpr char kReady = 'R';
  static constexpr char kStubborn = 'D';  // a request of ours cannot be ended
  static constexpr char kRecycle = 'M';   // it has served max_requests
  static constexpr char kReplace = 'A';   // a hook says that it is to end

  // Says that this worker serves, and listens from now on.
  [[nodiscard]] bool start() noexcept;
  bool say(char word) const noexcept;
  void close() noexcept;
  // After a fork, in the child.
  void abandon() noexcept { fd_.close(); }

 private:
  void on_io(std::uint8_t ready) noexcept override;

  loop::Loop& loop_;
  net::OwnedFd fd_;
  Listener& listener_;
};

}  // namespace celadon::module
