// What a request is called in logs, in its answer and in traces. Names are made when
// someone asks for them: most requests need only the first.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/headers.h"
#include "http/request.h"

namespace celadon::server {

inline constexpr std::size_t kLongestRequestId = 128;

struct Identity {
  [[nodiscard]] std::string_view request_id() const noexcept {
    return {id.data(), id_size};
  }
  [[nodiscard]] std::string_view trace_id() const noexcept {
    return {trace.data(), trace_size};
  }
  [[nodiscard]] std::string_view span_id() const noexcept {
    return {span.data(), trace_size ? span.size() : 0};
  }
  // The field that a request to another service may carry; empty before there is one.
  [[nodiscard]] std::string traceparent() const;
  void clear() noexcept { id_size = trace_size = 0; }

  std::array<char, kLongestRequestId> id;
  std::array<char, 32> trace;
  std::array<char, 16> span;  // of the request in here
  std::array<char, 2> flags;
  std::uint8_t id_size = 0;
  std::uint8_t trace_size = 0;
};

// Where the names of a server's requests come from.
class Naming {
 public:
  // `header`: the field with the id of a request; empty: none is read or answered.
  explicit Naming(std::string header);

  [[nodiscard]] std::string_view header() const noexcept { return header_; }
  [[nodiscard]] http::HeaderId header_id() const noexcept { return header_id_; }

  // The id that a trusted peer sent, if it is a token, else a UUIDv7 (RFC 9562).
  void name(Identity& identity, const http::Request& request, bool trusted,
            Nanos wall) noexcept;
  // The trace that traceparent names, or a new one; and a span of it.
  void trace(Identity& identity, const http::Request& request) noexcept;

 private:
  [[nodiscard]] std::string_view sent_id(const http::Request& request) const noexcept;
  [[nodiscard]] std::uint64_t random() noexcept;

  const std::string header_;
  const http::HeaderId header_id_;
  std::array<std::uint64_t, 2> state_;
};

}  // namespace celadon::server
