#include "http/h1/writer.h"

#include <charconv>

namespace celadon::http::h1 {
namespace {

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
  out.append(digits, end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  out.append(": ");
  out.append(value);
  out.append("\r\n");
}

void append_status_line(std::string& out, int status, std::string_view reason) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(status));
  out.push_back(' ');
  out.append(reason);
  out.append("\r\n");
}

}  // namespace

FramingChoice choose_framing(int status, bool head_request, int minor,
                             bool length_known) noexcept {
  if (status == 204 || status < 200) return {Framing::None, false};
  const bool body_allowed = !head_request && status != 304;
  if (length_known) return {Framing::Length, body_allowed};
  // Nothing was said about a length and nothing follows: say nothing either.
  if (!body_allowed) return {Framing::None, false};
  return {minor == 0 ? Framing::Close : Framing::Chunked, true};
}

void append_head(std::string& out, const ResponseHead& head, Framing framing,
                 std::uint64_t length, const Extras& extras) {
  append_status_line(out, head.status, head.reason);
  for (const HeaderView& field : head.headers)
    append_field(out, field.name, field.value);
  if (framing == Framing::Length) {
    out.append("Content-Length: ");
    append_number(out, length);
    out.append("\r\n");
  } else if (framing == Framing::Chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  }
  if (!extras.date.empty()) append_field(out, "Date", extras.date);
  if (!extras.server.empty()) append_field(out, "Server", extras.server);
  if (extras.close) {
    out.append("Connection: close\r\n");
  } else if (extras.keep_alive) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

void append_interim(std::string& out, int status, std::span<const HeaderView> headers) {
  append_status_line(out, status, reason_phrase(status));
  for (const HeaderView& field : headers) append_field(out, field.name, field.value);
  out.append("\r\n");
}

void append_chunk_size(std::string& out, std::uint64_t size) {
  append_number(out, size, 16);
  out.append("\r\n");
}

}  // namespace celadon::http::h1
