// The other workers of this master, as a server sees them.
#pragma once

#include "loop/loop.h"
#include "module/letter.h"
#include "module/seat.h"
#include "server/server.h"

namespace celadon::module {

// Says where this worker's greenlets are, and what it spends its time on.
class Reporter {
 public:
  virtual ~Reporter() = default;
  // Takes the descriptor over.
  virtual void report_to(int fd) noexcept = 0;
  virtual void profile_to(int fd, letter::ProfileOrder order) noexcept = 0;
};

class Colleagues final : public server::Peers, private loop::IoHandler {
 public:
  Colleagues(loop::Loop& loop, Seat& seat, server::Server& server,
             Reporter& reporter) noexcept
      : loop_(loop), seat_(seat), server_(server), reporter_(reporter) {}
  ~Colleagues() override { close(); }

  // Takes connections over from now on.
  [[nodiscard]] bool start() noexcept;
  // Takes those that have come.
  void receive() noexcept;
  // Takes none any more: what has come or comes the master sees to.
  void close() noexcept;

  [[nodiscard]] bool ending() noexcept override;
  [[nodiscard]] bool has_other() noexcept override;
  [[nodiscard]] bool over_share() noexcept override;
  [[nodiscard]] bool has_room() noexcept override;
  [[nodiscard]] bool pass(int fd, const server::Passage& passage) noexcept override;

 private:
  void on_io(std::uint8_t) noexcept override { receive(); }
  void obey(int fd, const net::Mailbox::Note& note) noexcept;
  static constexpr int kBatch = 64;  // of those that come in a turn

  loop::Loop& loop_;
  Seat& seat_;
  server::Server& server_;
  Reporter& reporter_;
  bool started_ = false;
};

}  // namespace celadon::module
