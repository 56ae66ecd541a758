// A response head, whatever the protocol: made by WSGI, ASGI or the server's own pages,
// rendered by the protocol that carries it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/field_rules.h"

namespace celadon::http {

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

struct ResponseHead : AnswerFields {
  int status = 200;
  std::string_view reason;
  std::span<const HeaderView> headers;  // as AnswerRules leave them
};

// True where the status never has a body (RFC 9110 6.4.1).
[[nodiscard]] constexpr bool is_bodyless(int status) noexcept {
  return (status >= 100 && status < 200) || status == 204 || status == 304;
}

[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

}  // namespace celadon::http
