#include "admin/gzip.h"

#include <algorithm>

#include "http/chars.h"

#ifdef CELADON_HAS_ZLIB
#include <zlib.h>
#endif

namespace celadon::admin {
namespace {

// What is before `separator`, which goes with it.
std::string_view take_until(std::string_view& rest, char separator) noexcept {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return http::trim_ows(part);
}

// `q=0`, `q=0.0` ...: not at all (RFC 9110 section 12.4.2).
bool is_refused(std::string_view parameters) noexcept {
  while (!parameters.empty()) {
    const std::string_view one = take_until(parameters, ';');
    if (!one.starts_with("q=") && !one.starts_with("Q=")) continue;
    return one.substr(2).find_first_not_of("0.") == one.npos;
  }
  return false;
}

}  // namespace

bool takes_gzip(std::string_view accept_encoding) noexcept {
  bool any = false;
  while (!accept_encoding.empty()) {
    std::string_view parameters = take_until(accept_encoding, ',');
    const std::string_view coding = take_until(parameters, ';');
    if (http::equals_ignoring_case(coding, "gzip") ||
        http::equals_ignoring_case(coding, "x-gzip"))
      return !is_refused(parameters);
    if (coding == "*") any = !is_refused(parameters);
  }
  return any;
}

#ifdef CELADON_HAS_ZLIB
std::optional<std::string> gzip(std::string_view text) {
  constexpr int kGzip = 15 + 16;  // zlib's largest window, with gzip's head and trailer
  constexpr int kMemory = 8;      // zlib's default
  z_stream stream{};
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK)
    return std::nullopt;
  std::string out(::deflateBound(&stream, text.size()), '\0');
  // zlib does not write to what it reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // NOLINT
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool done = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (!done) return std::nullopt;
  return out;
}
#else
std::optional<std::string> gzip(std::string_view) {
  return std::nullopt;
}
#endif

}  // namespace celadon::admin
