// What a session tells the server. Every call comes from within Session::receive() or
// Session::write(); whoever is called may answer, reset, credit and release within it,
// but must not call those two.
#pragma once

#include <span>
#include <string_view>

#include "h2/frame.h"
#include "h2/priority.h"
#include "http/rejection.h"
#include "http/request.h"
#include "http/response.h"

namespace celadon::h2 {

class Stream;

// A request's head, for as long as the call lasts. Of one that was refused it is what
// came until then.
struct Head {
  http::Request& request;  // points into `bytes`
  std::string_view bytes;
  std::string_view scheme;
  std::string_view protocol;  // of an extended CONNECT (RFC 8441); else empty
  Priority priority;
  bool ended = false;  // no body follows
};

class Events {
 public:
  virtual ~Events() = default;
  // A request. Unless it is answered and released within the call, the stream gets its
  // StreamEvents here.
  virtual void on_request(Stream& stream, const Head& head) noexcept = 0;
  // Likewise, of one that is to be answered with what is wrong with it.
  virtual void on_refused(Stream& stream, http::Rejection why,
                          const Head& head) noexcept = 0;
  // One that is none: its stream is reset, nobody hears of it again.
  virtual void on_malformed(http::Rejection why, const Head& head) noexcept = 0;
  // The peer begins no stream any more.
  virtual void on_goaway(ErrorCode code) noexcept = 0;
};

// Of one stream, until it is released or reset.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  // A piece of the body. The peer may send as much again once it was credited.
  virtual void on_data(std::string_view data) noexcept = 0;
  // Fields behind the body; on_end() follows.
  virtual void on_trailers(std::span<const http::HeaderView> fields) noexcept = 0;
  virtual void on_end() noexcept = 0;
  // The body will never be complete. Of one that is malformed the stream is reset next.
  virtual void on_body_failed(http::Rejection why) noexcept = 0;
  // There is room again, after Taken::Full.
  virtual void on_writable() noexcept = 0;
  // Nothing comes or goes any more, and something was still to come or to go. The
  // stream waits for its release.
  virtual void on_reset(ErrorCode code) noexcept = 0;
};

}  // namespace celadon::h2
