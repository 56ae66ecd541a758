// A client connection that speaks HTTP/1: parses requests, hands them to the
// application one at a time, and renders their answers.
//
// Nobody is called back from within a call: an application may answer and release its
// exchange inside on_request (stage Offered), and the loop that offered it goes on with
// the next pipelined request; a release at any other time goes on by itself.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/h1/chunked.h"
#include "http/h1/parser.h"
#include "http/h1/writer.h"
#include "server/client_connection.h"

namespace celadon::server {

class H1Session final : public ClientConnection, public Channel {
 public:
  H1Session(Server& server, int fd, const net::Address& peer, bool tls) noexcept
      : ClientConnection(server, fd, peer, tls) {}

  void cancel() noexcept override;
  void tell_closing() noexcept override;

 private:
  // ClientConnection
  [[nodiscard]] std::size_t read_room() const noexcept override;
  void on_bytes(std::string_view bytes) noexcept override;
  void on_end() noexcept override;
  bool on_lost() noexcept override;
  bool on_over() noexcept override;
  void on_room() noexcept override;
  void go_on() noexcept override;
  void on_idle() noexcept override;
  void on_due(Why why) noexcept override;
  [[nodiscard]] bool has_input() const noexcept override { return !stored().empty(); }
  [[nodiscard]] bool waits_for_body() const noexcept override;
  [[nodiscard]] std::uint64_t body_bytes() const noexcept override {
    return exchange_ ? exchange_->body_size() : 0;
  }
  // Channel
  Sent write_head(Exchange& x, const http::ResponseHead& head, std::string_view first,
                  Owner owner, Part part, net::Leave leave) noexcept override;
  Sent write_data(Exchange& x, std::string_view data, Owner owner,
                  net::Leave leave) noexcept override;
  Sent write_file(Exchange& x, int file, off_t& offset,
                  std::size_t count) noexcept override;
  void write_interim(Exchange& x, int status,
                     std::span<const http::HeaderView> headers) noexcept override;
  void end_answer(Exchange& x,
                  std::span<const http::HeaderView> trailers) noexcept override;
  void give_up(Exchange& x) noexcept override;
  [[nodiscard]] Delivery how_far(const Exchange&) const noexcept override {
    return ClientConnection::how_far();
  }
  void break_off(Exchange& x) noexcept override;
  [[nodiscard]] bool may_tunnel() const noexcept override {
    return state().input != Input::Last;
  }
  [[nodiscard]] std::string local_path(const Exchange&) const noexcept override {
    return ClientConnection::local_path();
  }
  [[nodiscard]] bool peer_shut() const noexcept override {
    return state().input == Input::Ended;
  }
  Sent open_tunnel(Exchange& x, const http::ResponseHead& head) noexcept override;
  Sent lend(Exchange& x, Loan& loan) noexcept override;
  void want_body(Exchange& x) noexcept override;
  void credit(Exchange& x, std::size_t n) noexcept override;
  void refuse(Exchange& x, http::Rejection why) noexcept override;
  void complain(Exchange& x, Misfit what) noexcept override;
  void identify(Exchange& x) noexcept override;
  void release(Exchange& x) noexcept override;

  // Requests (h1_input.cc)
  void serve(std::string_view fresh) noexcept;
  [[nodiscard]] bool begin_next(std::string_view& fresh) noexcept;
  void begin(http::h1::HeadParser& parser, std::string_view bytes,
             bool is_stored) noexcept;
  void offer() noexcept;
  void offer_collected() noexcept;
  void note_offered() noexcept;
  void forget_empty_lines(const http::h1::HeadParser& parser, std::string_view bytes,
                          bool is_stored) noexcept;
  void wait_for_head(std::string_view bytes, bool is_stored) noexcept;
  // `head`: as much as is there of what is refused.
  void reject(http::Rejection why, std::string_view head) noexcept;
  void on_preface(std::string_view bytes) noexcept;
  void on_plain_http() noexcept override;
  // No request is taken after this one; what was stored of others is thrown away.
  void take_no_more() noexcept;
  void keep(std::string_view bytes) noexcept;
  void drop(std::size_t n) noexcept;
  [[nodiscard]] std::string_view stored() const noexcept {
    return ahead_ ? std::string_view(ahead_->bytes).substr(ahead_->at)
                  : std::string_view();
  }
  // Input that was read ahead.
  struct Ahead {
    std::string bytes;
    std::size_t at = 0;  // what lies before it was taken
  };

  // Their bodies (h1_body.cc)
  void open_body(Exchange& x) noexcept;
  void feed(std::string_view& in) noexcept;
  void decode(std::string_view& in) noexcept;
  void feed_chunks(std::string_view& in) noexcept;
  bool take(std::string_view data) noexcept;
  bool is_stored() noexcept;
  void body_is_over() noexcept;
  void body_failed(http::Rejection why) noexcept;
  void skip_rest(std::string_view bytes) noexcept;
  void expect_body() noexcept;
  void start_body_clock() noexcept;
  [[nodiscard]] bool body_blocks_reuse(const Exchange& x) const noexcept;

  // Answers (h1_answer.cc)
  [[nodiscard]] bool is_last_answer(const Exchange& x,
                                    const http::ResponseHead& head) const noexcept;
  Sent send(std::string_view copied, std::string_view held, Owner owner,
            std::string_view tail, net::Leave leave) noexcept;
  Sent send_piece(Exchange& x, std::string& out, std::string_view data, Owner owner,
                  Part part, net::Leave leave) noexcept;
  void send_last_chunk(std::span<const http::HeaderView> trailers) noexcept;
  [[nodiscard]] bool ends_with_connection() const noexcept;
  void note_whole() noexcept;
  void note_fields(Exchange& x, const http::ResponseHead& head) noexcept;
  [[nodiscard]] http::HeaderView id_field(Exchange& x,
                                          const http::ResponseHead& head) noexcept;

  // What the client knows of the body at hand.
  enum class Expecting : std::uint8_t {
    Nothing,
    Continue,  // it waits for a 100 before it sends
    Tunnel,    // the body ends with what the peer sends, whenever that is
  };

  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<http::h1::HeadParser> parser_;       // while a head is partly here
  std::unique_ptr<http::h1::ChunkedDecoder> chunked_;  // while such a body comes in
  std::unique_ptr<Ahead> ahead_;                       // while there is some
  std::uint64_t body_left_ = 0;                        // of a body with a length
  unsigned pipelined_ = 0;  // requests in a row that were read ahead
  http::h1::Framing framing_ = http::h1::Framing::None;  // of the answer at hand
  Expecting expecting_ = Expecting::Nothing;
  std::uint8_t empty_lines_ = 0;  // that came before the next head, and are forgotten
  http::h1::KnownBlocks::Hint known_block_;
};

}  // namespace celadon::server
