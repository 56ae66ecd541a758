// The extension permessage-deflate as it is agreed on (RFC 7692 7.1), and the lists of
// extensions that clients offer (RFC 6455 9.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ws/options.h"

namespace celadon::ws {

struct Extension {
  std::string_view name;
  // Without quotes; one that has no value has none.
  std::vector<std::pair<std::string_view, std::optional<std::string>>> parameters;
};

// Adds what one field Sec-WebSocket-Extensions offers. False: it is malformed.
[[nodiscard]] bool parse_extensions(std::string_view value,
                                    std::vector<Extension>& out);

// What was agreed on. "Sent" and "got" are the server's.
struct DeflateTerms {
  std::uint8_t sent_window = 15;
  std::uint8_t got_window = 15;
  bool keeps_sent = false;  // what one message leaves behind helps the next one
  bool keeps_got = false;
  bool says_sent_window = false;  // whoever asks for a window must be told of one

  bool operator==(const DeflateTerms&) const = default;
  // The value of the field Sec-WebSocket-Extensions of the answer.
  [[nodiscard]] std::string text() const;
};

// The first offer that can be met. An offer of which anything is unknown, repeated or
// out of range is declined (RFC 7692 7.1), the next one may do.
[[nodiscard]] std::optional<DeflateTerms> choose_deflate(
    const std::vector<Extension>& offers, const DeflateOptions& options);

}  // namespace celadon::ws
