// The WebSockets of the model application, on the class that the product's bridges have
// theirs on: how one is told of news, and how it waits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "gateway/websocket.h"
#include "loop/loop.h"
#include "sim/app.h"

namespace celadon::sim {

// What http.md says of such a handshake: how it is refused; status 0: it is not.
struct Refused {
  int status = 0;
  bool closes = false;
};
[[nodiscard]] Refused refusal_of(const Request& request) noexcept;

class SimSocket final : public gateway::WebSocket {
 public:
  SimSocket(server::Exchange& exchange, gateway::WebSocketShare& share, Record& record,
            AppHost& host) noexcept
      : WebSocket(exchange, share), exchange_(exchange), record_(record), host_(host) {}

  // False: it is too late for that.
  bool open(Nanos now);
  enum class Got : std::uint8_t {
    Message,
    Nothing,  // it waits
    End,      // none comes any more
  };
  [[nodiscard]] Got get(Nanos now);
  // False: it waits.
  [[nodiscard]] bool has_room() noexcept;
  void send(bool is_text, const std::string& data, net::Leave leave);
  void bye(std::uint16_t code, Nanos now, net::Leave leave);
  void finish(Done how, Nanos now, net::Leave leave);
  void wait_for_end() noexcept { waits_for_ = kOver; }
  [[nodiscard]] bool waits() const noexcept { return waits_for_ != 0; }
  // For what is there.
  [[nodiscard]] bool waits_in_vain() const noexcept;

 private:
  void on_news(News news) noexcept override;
  void note_close(int code, Nanos now) noexcept;

  server::Exchange& exchange_;
  Record& record_;
  AppHost& host_;
  News waits_for_ = 0;
};

// What they share, as those of a bridge do.
class Sockets final : public loop::Keeper {
 public:
  Sockets(loop::Loop& loop, const Rules& rules, LogSink& log);

  [[nodiscard]] const gateway::WebSocketOptions& options() const noexcept {
    return options_;
  }
  [[nodiscard]] gateway::WebSocketShare& share() noexcept { return share_; }
  [[nodiscard]] bool are_gone() const noexcept {
    return load_.websockets == 0 && share_.frames.empty();
  }

 private:
  [[nodiscard]] bool keeps_memory() const noexcept override {
    return share_.deflate.keeps_memory();
  }
  void give_back_unused() noexcept override { share_.deflate.give_back_unused(); }
  void give_back_all() noexcept override { share_.deflate.give_back_all(); }

  const gateway::WebSocketOptions options_;
  gateway::Counters counters_;
  gateway::Load load_;
  gateway::WebSocketShare share_;
};

}  // namespace celadon::sim
