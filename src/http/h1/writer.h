// Renders response heads and chunk framing of HTTP/1 into a string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/request.h"
#include "http/response.h"

namespace celadon::http::h1 {

enum class Framing : std::uint8_t {
  None,     // no body and no word about one (1xx, 204)
  Length,   // Content-Length
  Chunked,  // Transfer-Encoding: chunked
  Close,    // ended by the end of the connection
  Tunnel,   // whatever both sides make of it, after a 101
};

// How an answer to a request is framed. For HEAD and 304 Length only describes what a
// GET would have brought.
[[nodiscard]] Framing choose_framing(int status, bool head_request, Version version,
                                     bool length_known) noexcept;

struct Extras {
  std::string_view lines =
      {};                   // whole field lines of the server's own, Date and Server
  HeaderView field = {};    // one more, unless it is empty
  HeaderView timing = {};   // likewise
  bool close = false;       // say Connection: close
  bool keep_alive = false;  // say Connection: keep-alive (HTTP/1.0)
};

void append_head(std::string& out, const ResponseHead& head, Framing framing,
                 std::uint64_t length, const Extras& extras);
// An interim response: 100 or 103.
void append_interim(std::string& out, int status, std::span<const HeaderView> headers);

// The size line of a chunk; its data and "\r\n" follow.
void append_chunk_size(std::string& out, std::uint64_t size);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace celadon::http::h1
