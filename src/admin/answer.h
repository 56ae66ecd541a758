// A whole answer of the admin process, with the fields that all of them carry.
#pragma once

#include <string>
#include <string_view>

#include "server/exchange.h"

namespace celadon::admin {

inline constexpr std::string_view kText = "text/plain; charset=utf-8";
inline constexpr std::string_view kJson = "application/json";

struct Answer {
  int status = 200;
  std::string_view type = kText;
  std::string body;
  std::string_view cache = "no-store";  // Cache-Control
  std::string_view vary = {};           // what it depends on; empty: nothing
  std::string_view location = {};       // where the page is instead; empty: here
  bool zipped = false;                  // the body is in gzip
};

// Sends it, and releases the exchange.
void send_answer(server::Exchange& exchange, const Answer& answer) noexcept;
// A field of the request; empty where there is none.
[[nodiscard]] std::string_view field_of(const http::Request& request,
                                        std::string_view name) noexcept;

}  // namespace celadon::admin
