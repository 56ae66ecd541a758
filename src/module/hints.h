// What the figures of many requests together say, for who could do something about it:
// each said once, with its numbers.
#pragma once

#include <map>
#include <string>

#include "base/log.h"
#include "loop/loop.h"
#include "server/meter.h"

namespace celadon::module {

class Hints {
 public:
  // `limit`: requests that may be with the application at a time.
  Hints(LogSink& log, loop::Loop& loop, std::size_t limit) noexcept;

  void add(const server::Finished& request) noexcept;

 private:
  // Figures of so many requests, over so long, are judged together.
  static constexpr unsigned kRequests = 200;
  static constexpr Nanos kSpan = 5 * kSecond;
  static constexpr std::size_t kPeers = 32;  // that are told apart

  void add_waits(const Account& account) noexcept;
  void judge(Nanos now) noexcept;
  void judge_queue(double idle) noexcept;
  void judge_peers() noexcept;
  void begin(Nanos now) noexcept;

  LogSink& log_;
  loop::Loop& loop_;
  const std::size_t limit_;
  bool queue_said_ = false;
  bool peer_said_ = false;
  Nanos begun_ = 0;
  std::uint64_t work_ = 0;  // of the loop, at the beginning
  unsigned requests_ = 0;
  Nanos durations_ = 0;
  Nanos held_up_ = 0;  // since as many ran as may
  struct Peer {
    Spent kind;  // of the longest wait: to connect is another than to ask
    Nanos longest;
    Nanos waited;
  };
  std::map<std::string, Peer, std::less<>> peers_;
};

}  // namespace celadon::module
