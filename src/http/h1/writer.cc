#include "http/h1/writer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace celadon::http::h1 {
namespace {

// Writes into memory that was measured before.
class Cursor {
 public:
  explicit Cursor(char* at) noexcept : at_(at) {}
  [[nodiscard]] char* at() const noexcept { return at_; }

  void put(std::string_view text) noexcept {
    // One that is empty may point nowhere, which memcpy() forbids.
    at_ = std::ranges::copy(text, at_).out;
  }
  template <std::size_t N>
  void literal(const char (&text)[N]) noexcept {
    std::memcpy(at_, text, N - 1);
    at_ += N - 1;
  }
  void number(std::uint64_t value) noexcept {
    at_ = std::to_chars(at_, at_ + kDigits, value).ptr;
  }
  void field(std::string_view name, std::string_view value) noexcept {
    put(name);
    literal(": ");
    put(value);
    literal("\r\n");
  }
  void status_line(int status, std::string_view reason) noexcept {
    literal("HTTP/1.1 ");
    number(static_cast<std::uint64_t>(status));
    literal(" ");
    put(reason);
    literal("\r\n");
  }

  static constexpr std::size_t kDigits = 20;

 private:
  char* at_;
};

// More than every literal and number that a head can have.
constexpr std::size_t kFixed = 256;

std::size_t measure(std::span<const HeaderView> headers) noexcept {
  std::size_t size = kFixed;
  for (const HeaderView& field : headers)
    size += field.name.size() + field.value.size() + 4;
  return size;
}

// Appends at most `bound` bytes, which `write` puts through a Cursor.
template <class Write>
void append_bounded(std::string& out, std::size_t bound, Write write) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + bound, [&](char* data, std::size_t) noexcept {
    Cursor cursor(data + before);
    write(cursor);
    return static_cast<std::size_t>(cursor.at() - data);
  });
}

}  // namespace

Framing choose_framing(int status, bool head_request, Version version,
                       bool length_known) noexcept {
  if (status == 204 || status < 200) return Framing::None;
  if (length_known) return Framing::Length;
  // Nothing was said about a length and nothing follows: say nothing either.
  if (head_request || status == 304) return Framing::None;
  return version == Version::Http10 ? Framing::Close : Framing::Chunked;
}

void append_head(std::string& out, const ResponseHead& head, Framing framing,
                 std::uint64_t length, const Extras& extras) {
  const std::size_t bound = measure(head.headers) + head.reason.size() +
                            extras.lines.size() + extras.field.name.size() +
                            extras.field.value.size() + extras.timing.name.size() +
                            extras.timing.value.size();
  append_bounded(out, bound, [&](Cursor& to) noexcept {
    to.status_line(head.status, head.reason);
    for (const HeaderView& field : head.headers) to.field(field.name, field.value);
    if (framing == Framing::Length) {
      to.literal("Content-Length: ");
      to.number(length);
      to.literal("\r\n");
    } else if (framing == Framing::Chunked) {
      to.literal("Transfer-Encoding: chunked\r\n");
    }
    to.put(extras.lines);
    if (!extras.field.value.empty()) to.field(extras.field.name, extras.field.value);
    if (!extras.timing.value.empty()) {
      to.field(extras.timing.name, extras.timing.value);
    }
    if (extras.close) {
      to.literal("Connection: close\r\n");
    } else if (extras.keep_alive) {
      to.literal("Connection: keep-alive\r\n");
    }
    to.literal("\r\n");
  });
}

void append_interim(std::string& out, int status, std::span<const HeaderView> headers) {
  const std::string_view reason = reason_phrase(status);
  append_bounded(out, measure(headers) + reason.size(), [&](Cursor& to) noexcept {
    to.status_line(status, reason);
    for (const HeaderView& field : headers) to.field(field.name, field.value);
    to.literal("\r\n");
  });
}

void append_chunk_size(std::string& out, std::uint64_t size) {
  char digits[Cursor::kDigits];
  const auto end = std::to_chars(digits, digits + sizeof digits, size, 16).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
  out.append("\r\n", 2);
}

}  // namespace celadon::http::h1
