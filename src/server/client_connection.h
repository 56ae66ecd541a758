// One client connection, whatever it speaks: its stream, its deadlines, its place in
// the server's lists, and its end. What is read from it and what is answered is its
// protocol's (H1Session). States and their drawing are in connection_state.h.
//
// Its rules (they are proved by tests/sim):
// - What arrived whole is served and what was queued is delivered before it ends,
// unless
//   the peer resets, takes nothing for write_timeout or for as long as the application
//   of its tunnel waits, or the server's last patience ends.
// - Deadlines are a function of the state (due.h). Before one is acted on, everything
//   that came meanwhile is read, and everything that can leave leaves.
// - It reads only while what is held for it, unread and unsent, is below its marks.
// - Every way in does what it is for and ends in settle(), which sets what follows from
//   the state: interest in reading, the timer, membership in lists, the end.
// - Every end goes one way: flush, shut, linger, close. A reset is made in one place.
//
// It lives from accept until its stream is closed and no exchange of it is with
// anybody; then the loop destroys it at the end of the turn.
#pragma once

#include <string_view>

#include "net/stream.h"
#include "server/connection_state.h"
#include "server/counters.h"
#include "server/due.h"
#include "server/exchange.h"
#include "server/handshakes.h"
#include "server/peers.h"
#include "server/settings.h"

namespace celadon::server {

class Server;
struct IdleTag;
struct CorkTag;

// What an attempt to make room came to.
enum class Eviction : std::uint8_t {
  None,    // it is busy
  Ending,  // it makes room as soon as the peer has what was sent to it
  Gone,
};

class ClientConnection : public loop::Disposable,
                         public ListHook<ClientConnection>,
                         public ListHook<IdleTag>,
                         public ListHook<CorkTag>,
                         public ListHook<HandshakeTag>,
                         private net::StreamEvents,
                         private loop::Timer {
 public:
  // `tls`: it begins with a handshake, behind its PROXY header where it has one.
  ClientConnection(Server& server, int fd, const net::Address& peer, bool tls) noexcept;
  ~ClientConnection() override;

  [[nodiscard]] static net::Address local_address(int fd) noexcept;

  // Joins the loop, which may have no room.
  [[nodiscard]] std::expected<void, Error> attach() noexcept;
  // It is in the loop.
  void start() noexcept;
  // Likewise, of a connection that another server began with.
  void resume(const Passage& passage) noexcept;

  [[nodiscard]] ConnectionState state() const noexcept { return state_; }
  // Why it ended, or would end by now.
  [[nodiscard]] Closed why() const noexcept { return why_; }
  // It could be closed without anybody missing it.
  [[nodiscard]] bool is_idle() const noexcept;
  // Sends what was held back in this turn.
  void uncork() noexcept;
  // The server is stopping: an idle connection goes to another one, or ends soon;
  // others end after their answer. Called again and again.
  void drain() noexcept;
  // Its handshake, which waited in line for it, may begin.
  void on_place(Handshakes::Place place) noexcept;
  // Ends now, whatever is under way.
  void close(Closed why) noexcept;
  // Asks the application to end what it has of this connection.
  virtual void cancel() noexcept = 0;
  // Tells it that the server ends.
  virtual void tell_closing() noexcept = 0;
  // Ends it if it is idle still, once what has come by now was read.
  Eviction evict() noexcept;
  // No whole head of a request is there, and no answer is under way.
  [[nodiscard]] bool asks_nothing() const noexcept;
  // Likewise, if it asks nothing still.
  Eviction evict_unasked() noexcept;
  // After a fork, in the child.
  void abandon() noexcept { stream_.abandon(); }

  // --- while its loop is held, for the thread that has it in custody ---

  // It waits for its next request, or its first: nothing of that was read, and nothing
  // is to be sent.
  [[nodiscard]] bool waits_unread() const noexcept;
  [[nodiscard]] int fd() const noexcept { return stream_.fd(); }
  // What another server has to know that takes it over.
  [[nodiscard]] Passage passage() const noexcept;
  // Sends what is queued. What follows from that the loop's thread sees to.
  void send_queued() noexcept { stream_.send_queued(); }
  // Another one has it. Touches nothing that slices of the loop do.
  void let_go() noexcept;
  [[nodiscard]] bool was_let_go() const noexcept { return let_go_; }
  // The loop's thread, then: ends what that has left.
  void give_up() noexcept;

 protected:
  // --- what a protocol does ---
  // How many bytes it can take now; 0: reading pauses.
  [[nodiscard]] virtual std::size_t read_room() const noexcept = 0;
  virtual void on_bytes(std::string_view bytes) noexcept = 0;
  // The peer speaks in the clear where TLS is spoken: the last that it is told.
  virtual void on_plain_http() noexcept = 0;
  // The peer's end of file; the input has Ended.
  virtual void on_end() noexcept = 0;
  // The stream is closed, nothing comes or goes any more. True: an application has an
  // exchange still, and release() follows.
  virtual bool on_lost() noexcept = 0;
  // Likewise, of one that has ended as it should.
  virtual bool on_over() noexcept = 0;
  // Everything queued is with the kernel: who waits for that goes on.
  virtual void on_room() noexcept = 0;
  // Likewise, and so does what is stored.
  virtual void go_on() noexcept = 0;
  // It has become idle: memory that its requests needed goes back.
  virtual void on_idle() noexcept = 0;
  // A deadline of its own.
  virtual void on_due(Why why) noexcept = 0;
  [[nodiscard]] virtual bool has_input() const noexcept = 0;
  [[nodiscard]] virtual bool waits_for_body() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t body_bytes() const noexcept = 0;

  // --- what a protocol uses ---
  void set_input(Input to) noexcept;
  void set_stage(Stage to) noexcept;
  // The connection ends by a reset once everything was delivered: its last answer has
  // no other way to say that it is incomplete.
  void end_by_reset() noexcept { resets_ = true; }
  // Puts bytes on their way. False: the peer is gone, and so is the stream.
  [[nodiscard]] bool put(std::string_view copied, std::string_view held, Owner owner,
                         std::string_view tail, net::Leave leave) noexcept;
  // Writes what is queued, as far as it goes. False: likewise.
  bool flush() noexcept;
  [[nodiscard]] net::Io put_file(int file, off_t& offset, std::size_t count) noexcept;
  // Reads once. False: nothing more is there for now, or for ever.
  bool read_some() noexcept;
  // Likewise, ahead of its event: only so much in a turn, which may be reached.
  bool read_ahead() noexcept;
  void settle() noexcept;
  // TLS is spoken, behind a PROXY header where there is one.
  [[nodiscard]] bool speaks_tls() const noexcept { return tls_; }
  // Behind that header, with which `received` came.
  void begin_handshake(std::string_view received) noexcept;
  // The handshake waits for others to end.
  [[nodiscard]] bool is_in_line() const noexcept {
    return ListHook<HandshakeTag>::linked();
  }
  // The peer is gone, or nothing goes to it.
  void lose(Closed why = Closed::Client) noexcept;
  void remove() noexcept;
  // Another one has the socket, from here until take_back().
  void let_rest() noexcept { stream_.let_rest(); }
  void take_back() noexcept { stream_.take_back(); }
  // Reads again, if it does not and may: the wait for input begins here then.
  void resume_reading() noexcept;
  // The wait for input begins here.
  void mark_input() noexcept;
  void mark_input(Nanos at) noexcept;
  // A wait has begun, or another one: the timer must not be late for it. settle() does
  // that too.
  void rearm() noexcept;

  // The peer takes nothing any more: what cannot leave now never will.
  void drop_blocked() noexcept;

  [[nodiscard]] bool open() const noexcept { return stream_.open(); }
  // It ends with its next answer, or soon: nobody takes it over.
  [[nodiscard]] bool closing() const noexcept { return closing_since() != kNever; }
  [[nodiscard]] Delivery how_far() const noexcept { return stream_.delivery(); }
  [[nodiscard]] std::string local_path() const noexcept;
  [[nodiscard]] std::size_t queued() const noexcept { return stream_.queued(); }
  [[nodiscard]] bool is_full() const noexcept {
    return stream_.queued() > settings().response_buffer;
  }
  [[nodiscard]] Nanos now() const noexcept;
  [[nodiscard]] const Settings& settings() const noexcept;
  [[nodiscard]] Marks& marks() noexcept { return marks_; }

  Server& server_;
  Connection connection_;
  bool fresh_ = true;            // no request was begun yet
  std::uint64_t discarded_ = 0;  // bytes thrown away since the last request

 private:
  // net::StreamEvents
  void on_readable() noexcept override;
  void on_drained() noexcept override;
  void on_hangup() noexcept override;
  void on_sent(std::size_t bytes) noexcept override;
  // loop::Timer
  void on_timer() noexcept override;

  void set_output(Output to) noexcept;
  void check_state() const noexcept;
  // Nothing of it waits for the end of the turn any more.
  void leave_corked() noexcept;
  void note_output() noexcept;
  void block_output() noexcept;
  [[nodiscard]] bool shake() noexcept;
  void on_secured() noexcept;
  void on_handshake_failure() noexcept;
  void on_input_end() noexcept;
  void on_input_failure() noexcept;
  void discard(std::size_t bytes) noexcept;
  [[nodiscard]] bool wants_input() const noexcept;
  void pause_reading() noexcept;
  [[nodiscard]] bool is_finished() const noexcept;
  void say_goodbye() noexcept;
  void reset_when_delivered() noexcept;
  void reset(Closed why) noexcept;
  void finish_close() noexcept;
  void enter_idle() noexcept;
  [[nodiscard]] bool pass_on() noexcept;

  [[nodiscard]] Nanos closing_since() const noexcept;
  [[nodiscard]] Due next_due() const noexcept;
  [[nodiscard]] bool is_due() const noexcept;
  void end(Closed why) noexcept;
  void act(Due due) noexcept;
  void on_write_due(Due due) noexcept;
  void on_idle_due() noexcept;
  void on_linger_due() noexcept;
  void on_delivery_due() noexcept;

  net::Stream stream_;
  ConnectionState state_;
  Closed why_ = Closed::Client;
  const bool tls_;
  Handshakes::Place place_;  // while it shakes hands
  bool resets_ = false;
  bool let_go_ = false;
  Marks marks_;
};

}  // namespace celadon::server
