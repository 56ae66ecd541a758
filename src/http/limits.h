// Every limit on what one message may hold, with the name of its setting. Zero has been
// resolved by the settings: here a limit is always a number to compare with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace celadon::http {

struct Limits {
  std::size_t request_line = 8190;    // limit_request_line, without the CRLF
  std::size_t fields = 100;           // limit_request_fields
  std::size_t field_size = 8190;      // limit_request_field_size, one line
  std::size_t head = 65536;           // limit_request_head: names + values + 4 each
  std::uint64_t body = 1ULL << 30;    // limit_request_body
  std::size_t chunk_extension = 256;  // chunk_extension_limit
  bool refuse_underscores = false;    // header_map = refuse
  bool refuse_absolute_form = false;  // absolute_form = reject
};

}  // namespace celadon::http
