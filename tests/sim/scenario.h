// What a run is made of, as a plain value: settings, moods of the kernel, events,
// clients with their requests, and what the application does with each. It has a text
// form, one line per item, in which only what differs from the ordinary is said.
//
// Every number of a scenario is a field of a table (`fields`): the text form, the
// parser and the shrinker walk it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace celadon::sim {

using Number = std::int64_t;  // times in milliseconds, sizes in bytes

// A row of the table: `names` where the values of a number have some, ended by null.
struct FieldInfo {
  std::string_view name;
  Number usual;
  const char* const* names = nullptr;
  Number least = -1;  // a shrunk scenario stays above it
};

// What the application does next with a request.
enum class Act : std::uint8_t {
  Read,    // n bytes of the body, or to its end
  Wait,    // n ms
  Hold,    // n ms in which the loop does not run
  Spend,   // n ms of computing between two calls of the server's
  Hint,    // an interim answer
  Head,    // with the first n bytes of the body
  Send,    // n bytes
  File,    // n bytes of a file
  Whole,   // head and all n bytes at once
  Raise,   // before the head
  Abort,   // breaks off
  Never,   // ends when it is cancelled
  Finish,  // what follows happens between the end of the answer and the release
  Tunnel,  // from here on bytes go both ways
  GiveUp,  // as Finish, of a tunnel; who does not take the rest is not waited for
  Accept,  // the WebSocket that it is asked for
  Get,     // n messages of it, or all until its end
  Text,    // a message of n bytes
  Binary,  // likewise
  Bye,     // its close frame, with code n
};
extern const char* const kActNames[];

// What a client says next on its WebSocket.
enum class Say : std::uint8_t {
  Text,    // a message of n bytes
  Binary,  // likewise
  Begin,   // the first n bytes of a text that goes on
  More,    // n bytes of it
  Last,    // likewise, and its end
  Shreds,  // a message of n fragments with a byte each
  Ping,    // of n bytes
  Pong,    // likewise, unasked for
  Close,   // with code n; 0: without one
  Wrong,   // the nth of what nobody may send (sim/talk.cc)
  Wait,    // n ms
  Hear,    // until n messages have come in all, or a close frame
};
extern const char* const kSayNames[];

struct Op {
  Number act = 0;
  Number n = 0;
  [[nodiscard]] Act kind() const noexcept { return static_cast<Act>(act); }
  [[nodiscard]] Say say() const noexcept { return static_cast<Say>(act); }
};

namespace ends {
enum : Number { Stay, Done, Half, Close, Reset };
}
namespace reading {
enum : Number { Always, Late, Slow, Stop, Last };
}
namespace bad {
enum : Number { None, Line, Host, Field, Length, Both, Chunk, Trace, Version };
}
namespace framing {
enum : Number { Length, Open, Long, Short };
}
namespace methods {
enum : Number { Get, Post, Head };
}
// How a WebSocket is asked for. Behind Good: what must be refused; then what asks for
// none, and is a request like others.
namespace upgrade {
enum : Number {
  None,
  Good,
  NoKey,
  ShortKey,
  TwoKeys,
  Version,
  TwoVersions,
  Protocol,
  Extension,
  Origin,
  Body,
  Post,
  Old,
  Plain
};
}
extern const char* const kEndNames[];
extern const char* const kReadingNames[];
extern const char* const kBadNames[];
extern const char* const kFramingNames[];
extern const char* const kMethodNames[];
extern const char* const kUpgradeNames[];

struct Request {
  Number method = methods::Get;
  Number minor = 1;
  Number keep = 0;     // says Connection: keep-alive
  Number close = 0;    // says Connection: close
  Number body = -1;    // its size; -1: none
  Number chunk = 0;    // in chunks of that size
  Number expect = 0;   // a client that waits for 100; 2: that does not
  Number trailer = 0;  // lines of it
  Number bad = bad::None;
  Number padding = 0;   // of the head
  Number front = 0;     // answered ahead of the application
  Number wait = 0;      // before it is sent
  Number stall_at = 0;  // in mid-request; 0: behind a head that waits for 100
  Number stall = 0;
  Number turn = 0;  // sent after the answer to the one before
  Number tunnel =
      -1;  // bytes that follow it once a tunnel is open; -1: it asks for none
  Number hurries = 0;  // it sends them before it knows that one is
  Number ws = upgrade::None;
  Number pongs = 3;    // so many pings its client answers
  Number replies = 1;  // and a close frame
  Number deflate = 0;  // it offers to compress, and does so where it may
  std::vector<Op> says;
  // The application.
  Number inline_ = 0;   // it begins within on_request
  Number together = 0;  // may_wait: its answer may leave with others
  Number says_close = 0;
  Number framed = framing::Length;
  std::vector<Op> ops;

  // What follows it can only belong to the tunnel.
  [[nodiscard]] bool sends_ahead() const noexcept {
    return hurries != 0 && !ops.empty() &&
           (ops.front().kind() == Act::Tunnel || ops.front().kind() == Act::Accept);
  }
  [[nodiscard]] bool asks_for_socket() const noexcept { return ws == upgrade::Good; }
  // Behind it there is no other request.
  [[nodiscard]] bool may_tunnel() const noexcept {
    return tunnel >= 0 || asks_for_socket();
  }
  // Its connection ends with the answer.
  [[nodiscard]] bool asks_close() const noexcept {
    return close != 0 || (minor == 0 && keep == 0);
  }

  template <class Visit>
  void fields(Visit&& visit) {
    visit(FieldInfo{"method", methods::Get, kMethodNames}, method);
    visit(FieldInfo{"minor", 1}, minor);
    visit(FieldInfo{"keep", 0}, keep);
    visit(FieldInfo{"close", 0}, close);
    visit(FieldInfo{"body", -1}, body);
    visit(FieldInfo{"chunk", 0}, chunk);
    visit(FieldInfo{"expect", 0}, expect);
    visit(FieldInfo{"trailer", 0}, trailer);
    visit(FieldInfo{"bad", bad::None, kBadNames}, bad);
    visit(FieldInfo{"padding", 0}, padding);
    visit(FieldInfo{"front", 0}, front);
    visit(FieldInfo{"wait", 0}, wait);
    visit(FieldInfo{"stall_at", 0}, stall_at);
    visit(FieldInfo{"stall", 0}, stall);
    visit(FieldInfo{"turn", 0}, turn);
    visit(FieldInfo{"tunnel", -1}, tunnel);
    visit(FieldInfo{"hurries", 0}, hurries);
    visit(FieldInfo{"ws", upgrade::None, kUpgradeNames}, ws);
    visit(FieldInfo{"pongs", 3, nullptr, 0}, pongs);
    visit(FieldInfo{"replies", 1, nullptr, 0}, replies);
    visit(FieldInfo{"deflate", 0}, deflate);
    visit(FieldInfo{"inline", 0}, inline_);
    visit(FieldInfo{"together", 0}, together);
    visit(FieldInfo{"says_close", 0}, says_close);
    visit(FieldInfo{"framed", framing::Length, kFramingNames}, framed);
  }
};

struct Client {
  Number at = 0;  // when it connects
  Number copies = 1;
  Number unix_socket = 0;
  Number proxy = 1;         // sends the PROXY header where the server wants one
  Number proxy_stall = 0;   // within it
  Number fast = 0;          // it writes on while the server reads
  Number pieces = 0;        // most bytes of one write; 0: as many as fit
  Number pace = 0;          // between two writes
  Number cut = -1;          // it sends no more than that
  Number end = ends::Stay;  // what it does when all is sent (Done: answered)
  Number end_wait = 0;
  Number vanish = -1;  // from then on nothing comes from it, and nothing reaches it
  Number reads = reading::Always;
  Number reads_n =
      0;  // Slow: bytes at a time; Stop: after so many. Last: when all is sent
  Number reads_ms = 0;    // Late: until then; Slow: for each
  Number buffer = 65536;  // of its kernel, in both directions
  std::vector<Request> requests;

  template <class Visit>
  void fields(Visit&& visit) {
    visit(FieldInfo{"at", 0}, at);
    visit(FieldInfo{"copies", 1, nullptr, 1}, copies);
    visit(FieldInfo{"unix", 0}, unix_socket);
    visit(FieldInfo{"proxy", 1}, proxy);
    visit(FieldInfo{"proxy_stall", 0}, proxy_stall);
    visit(FieldInfo{"fast", 0}, fast);
    visit(FieldInfo{"pieces", 0}, pieces);
    visit(FieldInfo{"pace", 0}, pace);
    visit(FieldInfo{"cut", -1}, cut);
    visit(FieldInfo{"end", ends::Stay, kEndNames}, end);
    visit(FieldInfo{"end_wait", 0}, end_wait);
    visit(FieldInfo{"vanish", -1}, vanish);
    visit(FieldInfo{"reads", reading::Always, kReadingNames}, reads);
    visit(FieldInfo{"reads_n", 0, nullptr, 0}, reads_n);
    visit(FieldInfo{"reads_ms", 0}, reads_ms);
    visit(FieldInfo{"buffer", 65536, nullptr, 1000}, buffer);
  }
};

struct Rules {  // the server's settings
  Number header_timeout = 10'000;
  Number body_timeout = 10'000;
  Number keepalive = 75'000;
  Number write_timeout = 30'000;
  Number linger_timeout = 2'000;
  Number body_total = 0;  // 0: off
  Number linger_total = 30'000;
  Number queue_timeout = 0;  // 0: off
  Number body_min_rate = 500;
  Number write_min_rate = 500;
  Number body_buffer = 65'536;
  Number response_buffer = 262'144;
  Number linger_bytes = 262'144;
  Number worker_connections = 1'000;
  Number max_concurrent = 0;
  Number queue_depth = 1'000;
  Number buffering = 0;
  Number proxy = 0;
  Number inherited = 0;  // the listener was opened by others
  Number cancels = 0;    // a GET is cancelled when its client leaves
  // Of WebSockets.
  Number ws_message = 1'000'000;  // bytes of one, at most
  Number ws_queue = 32;           // that wait for the application
  Number ping_interval = 20'000;  // 0: off
  Number ping_timeout = 20'000;   // 0: off
  Number close_timeout = 5'000;
  Number deflate = 0;  // 2: what one message leaves behind helps the next one

  template <class Visit>
  void fields(Visit&& visit) {
    visit(FieldInfo{"header_timeout", 10'000, nullptr, 50}, header_timeout);
    visit(FieldInfo{"body_timeout", 10'000, nullptr, 50}, body_timeout);
    visit(FieldInfo{"keepalive", 75'000, nullptr, 50}, keepalive);
    visit(FieldInfo{"write_timeout", 30'000, nullptr, 100}, write_timeout);
    visit(FieldInfo{"linger_timeout", 2'000, nullptr, 50}, linger_timeout);
    visit(FieldInfo{"body_total", 0}, body_total);
    visit(FieldInfo{"linger_total", 30'000, nullptr, 50}, linger_total);
    visit(FieldInfo{"queue_timeout", 0}, queue_timeout);
    visit(FieldInfo{"body_min_rate", 500, nullptr, 0}, body_min_rate);
    visit(FieldInfo{"write_min_rate", 500, nullptr, 0}, write_min_rate);
    visit(FieldInfo{"body_buffer", 65'536, nullptr, 1000}, body_buffer);
    visit(FieldInfo{"response_buffer", 262'144, nullptr, 1000}, response_buffer);
    visit(FieldInfo{"linger_bytes", 262'144, nullptr, 1000}, linger_bytes);
    visit(FieldInfo{"worker_connections", 1'000, nullptr, 1}, worker_connections);
    visit(FieldInfo{"max_concurrent", 0}, max_concurrent);
    visit(FieldInfo{"queue_depth", 1'000}, queue_depth);
    visit(FieldInfo{"buffering", 0}, buffering);
    visit(FieldInfo{"proxy", 0}, proxy);
    visit(FieldInfo{"inherited", 0}, inherited);
    visit(FieldInfo{"cancels", 0}, cancels);
    visit(FieldInfo{"ws_message", 1'000'000, nullptr, 1000}, ws_message);
    visit(FieldInfo{"ws_queue", 32, nullptr, 1}, ws_queue);
    visit(FieldInfo{"ping_interval", 20'000, nullptr, 0}, ping_interval);
    visit(FieldInfo{"ping_timeout", 20'000, nullptr, 0}, ping_timeout);
    visit(FieldInfo{"close_timeout", 5'000, nullptr, 50}, close_timeout);
    visit(FieldInfo{"deflate", 0}, deflate);
  }
};

struct Moods {  // the kernel's
  Number send_buffer = 65'536;
  Number receive_buffer = 65'536;
  Number partial = 0;       // percent of calls that take or give less than they could
  Number spurious = 0;      // percent of calls that say EAGAIN or EINTR for nothing
  Number spares = 0;        // a reset leaves the peer what it has received
  Number no_fds = 0;        // so many accepts fail
  Number no_fds_after = 0;  // once so many have not
  Number watches = 0;       // for so many connections the poller has room; 0: for all
  Number strays = 0;        // so many accepts find one whose network has failed
  Number strays_after = 0;  // once so many have not
  Number disk_full = 0;     // no spool file can be written
  Number creep = 5;         // percent of steps in which time passes meanwhile

  template <class Visit>
  void fields(Visit&& visit) {
    visit(FieldInfo{"send_buffer", 65'536, nullptr, 1000}, send_buffer);
    visit(FieldInfo{"receive_buffer", 65'536, nullptr, 1000}, receive_buffer);
    visit(FieldInfo{"partial", 0}, partial);
    visit(FieldInfo{"spurious", 0}, spurious);
    visit(FieldInfo{"spares", 0}, spares);
    visit(FieldInfo{"no_fds", 0}, no_fds);
    visit(FieldInfo{"no_fds_after", 0}, no_fds_after);
    visit(FieldInfo{"watches", 0}, watches);
    visit(FieldInfo{"strays", 0}, strays);
    visit(FieldInfo{"strays_after", 0}, strays_after);
    visit(FieldInfo{"disk_full", 0}, disk_full);
    visit(FieldInfo{"creep", 5}, creep);
  }
};

struct Plan {  // what happens to the server
  Number drain_at = -1;
  Number grace = 5'000;  // then what is left is cancelled, and a second later closed
  Number colleague = 0;  // a second worker takes connections over
  Number colleague_full = 0;  // percent of connections that it refuses
  Number over_share = 0;      // percent of new connections that are passed on
  Number alone_at = -1;       // from then on there is no other worker any more

  template <class Visit>
  void fields(Visit&& visit) {
    visit(FieldInfo{"drain_at", -1}, drain_at);
    visit(FieldInfo{"grace", 5'000}, grace);
    visit(FieldInfo{"colleague", 0}, colleague);
    visit(FieldInfo{"colleague_full", 0}, colleague_full);
    visit(FieldInfo{"over_share", 0}, over_share);
    visit(FieldInfo{"alone_at", -1}, alone_at);
  }
};

struct Scenario {
  Number schedule = 0;  // who moves next
  Rules rules;
  Moods moods;
  Plan plan;
  std::vector<Client> clients;
};

[[nodiscard]] std::string to_text(const Scenario& scenario);
// Null: `error` says which line is none.
[[nodiscard]] std::optional<Scenario> from_text(std::string_view text,
                                                std::string& error);

}  // namespace celadon::sim
