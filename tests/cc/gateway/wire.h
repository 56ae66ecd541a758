// A WebSocket of the tests, on an exchange whose connection is played by them: what was
// sent on it can be read, and what its kernel would say is told.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../ws/model.h"
#include "gateway/websocket.h"
#include "http/h1/parser.h"

namespace celadon::gateway {

struct Lines final : LogSink {
  void log(Level level, std::string_view line) noexcept override {
    levels.push_back(level);
    said.emplace_back(line);
  }
  std::vector<Level> levels;
  std::vector<std::string> said;
};

// The connection.
class Wire final : public server::Channel {
 public:
  enum class End : std::uint8_t { None, Finished, GivenUp };

  // What its next writes come to.
  server::Sent writes = server::Sent::Ok;
  // What happens while a head is written.
  void (*meanwhile)(server::Exchange&) = nullptr;
  std::string head;  // names and values of its fields
  std::string sent;  // behind it
  std::vector<net::Leave> leaves;
  End end = End::None;
  int ends = 0;
  std::size_t credited = 0;
  Delivery delivery;

  server::Sent write_head(server::Exchange&, const http::ResponseHead& answer,
                          std::string_view first, Owner, server::Part,
                          net::Leave) noexcept override {
    note(answer);
    sent += first;
    return writes;
  }
  server::Sent write_data(server::Exchange& x, std::string_view data, Owner owner,
                          net::Leave leave) noexcept override {
    EXPECT_EQ(owner.release, nullptr);
    if (writes == server::Sent::Gone) {
      x.go();
      return writes;
    }
    sent += data;
    leaves.push_back(leave);
    return writes;
  }
  server::Sent write_file(server::Exchange&, int, off_t&,
                          std::size_t) noexcept override {
    return server::Sent::Gone;
  }
  void write_interim(server::Exchange&, int,
                     std::span<const http::HeaderView>) noexcept override {}
  void end_answer(server::Exchange&,
                  std::span<const http::HeaderView>) noexcept override {
    ++ends;
    end = End::Finished;
  }
  void give_up(server::Exchange& x) noexcept override {
    end = End::GivenUp;
    x.go();  // as where something waits for its peer
  }
  [[nodiscard]] Delivery how_far(const server::Exchange&) const noexcept override {
    return delivery;
  }
  void break_off(server::Exchange&) noexcept override {}
  [[nodiscard]] bool may_tunnel() const noexcept override { return true; }
  server::Sent open_tunnel(server::Exchange& x,
                           const http::ResponseHead& answer) noexcept override {
    note(answer);
    if (meanwhile) meanwhile(x);
    if (writes == server::Sent::Gone) x.go();
    return writes;
  }
  server::Sent lend(server::Exchange&, server::Loan&) noexcept override {
    return server::Sent::Gone;
  }
  void want_body(server::Exchange&) noexcept override {}
  void credit(server::Exchange&, std::size_t n) noexcept override { credited += n; }
  void refuse(server::Exchange&, http::Rejection) noexcept override {}
  void complain(server::Exchange&, server::Misfit) noexcept override {}
  void identify(server::Exchange&) noexcept override {}
  void release(server::Exchange&) noexcept override {}

 private:
  void note(const http::ResponseHead& answer) {
    head = std::to_string(answer.status);
    if (answer.has_request_id) head += " with an id";
    for (const http::HeaderView& each : answer.headers)
      head.append("\n").append(each.name).append(": ").append(each.value);
  }
};

class TestSocket final : public WebSocket {
 public:
  using WebSocket::kIn;
  using WebSocket::kOut;
  using WebSocket::kOver;
  using WebSocket::WebSocket;
  // Of what kinds there was news since it was asked last.
  News news() noexcept { return std::exchange(news_, News{0}); }

 private:
  void on_news(News news) noexcept override { news_ |= news; }
  News news_ = 0;
};

class SocketTest : public ::testing::Test, private server::Consumer {
 protected:
  using Strings = std::vector<std::string>;
  using Objection = WebSocket::Objection;

  SocketTest() { ask(); }

  // A handshake comes.
  void ask(std::string_view version = "13", std::string_view line = {}) {
    std::string text =
        "GET /chat?a=b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: chat, other\r\nSec-WebSocket-Version: ";
    text.append(version).append("\r\n").append(line).append("\r\n");
    http::h1::HeadParser parser(limits_);
    ASSERT_EQ(parser.feed(text), http::h1::HeadParser::Step::Done);
    exchange_.begin(wire_, connection_, {});
    exchange_.take_head(text, parser.request());
    exchange_.set_consumer(this);
  }
  void accept() {
    ASSERT_TRUE(socket_.accept({}, {}));
    loop_.settle();
  }
  // Bytes come, and the turn ends.
  void come(std::string_view bytes) {
    exchange_.take_body(bytes);
    loop_.settle();
  }
  // Time goes on, with what it brings.
  void pass(Nanos by) {
    clock_.advance(by);
    loop_.turn(0);
    loop_.settle();
  }
  // What may be taken now.
  Strings taken() {
    Strings out;
    Message message;
    while (socket_.take(message))
      out.push_back((message.is_text ? "text:" : "binary:") + message.data);
    return out;
  }
  // What was sent since it was asked last, as frames.
  Strings said() {
    Strings out;
    for (const auto& each : ws::model::read_frames(std::exchange(wire_.sent, {}))) {
      std::string line = std::to_string(static_cast<unsigned>(each.opcode)) + ':';
      if (each.opcode != ws::Opcode::Close) line += each.payload;
      if (each.opcode == ws::Opcode::Close && each.payload.size() >= 2) {
        line += std::to_string(static_cast<std::uint8_t>(each.payload[0]) * 256 +
                               static_cast<std::uint8_t>(each.payload[1]));
        line += each.payload.substr(2);
      }
      out.push_back(line);
    }
    return out;
  }

  http::Limits limits_;
  ManualClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  WebSocketOptions options_;
  Lines log_;
  Counters counters_;
  Load load_;
  WebSocketShare share_{.loop = loop_,
                        .options = options_,
                        .log = log_,
                        .counters = &counters_,
                        .load = &load_};
  Wire wire_;
  server::Connection connection_;
  server::Exchange exchange_;
  TestSocket socket_{exchange_, share_};

 private:
  void on_body() noexcept override { socket_.on_body(); }
  void on_writable() noexcept override { socket_.on_writable(); }
  void on_gone() noexcept override { socket_.on_gone(); }
  void on_closing(server::Closing how) noexcept override { socket_.on_closing(how); }
};

}  // namespace celadon::gateway
