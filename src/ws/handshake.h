// The opening handshake of HTTP/1.1 (RFC 6455 4.2), from the fields of a request to
// those of its answer. Who sends the answer and whether the application wants the
// conversation is not decided here:
//
//   http::Request ─► is_handshake ─► read_handshake ─► Handshake ─► accept ─►
//   Acceptance
//                        │ no              └► HandshakeFault ─► fault_answer
//                        └► a request like any other (CN12)
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "http/response.h"
#include "ws/deflate_terms.h"

namespace celadon::ws {

// A GET of HTTP/1.1 whose Connection has `upgrade` and whose Upgrade has `websocket`,
// in any case.
[[nodiscard]] bool is_handshake(const http::Request& request) noexcept;

enum class HandshakeFault : std::uint8_t {
  HasBody,       // a GET that upgrades has none
  NoKey,         // none, or not the canonical base64 of 16 bytes
  RepeatedKey,   // more than one
  OtherVersion,  // none, or not 13
  RepeatedVersion,
  BadSubprotocol,  // not a list of tokens
  BadExtension,    // not a list of extensions
  WrongOrigin,     // websocket_origins does not have it
};
struct HandshakeFaultInfo {
  int status;
  std::string_view text;  // for the log and, without any request byte, for the page
  std::span<const http::HeaderView> fields = {};  // the answer has them
  bool closes = false;                            // the connection ends with it
};
[[nodiscard]] HandshakeFaultInfo handshake_fault_info(HandshakeFault fault) noexcept;

// What a client asks for. The texts are the request's.
struct Handshake {
  std::string_view key;
  std::string_view origin;                     // empty: none
  std::vector<std::string_view> subprotocols;  // in the order of the client's liking
  std::vector<Extension> extensions;
};
// Of a request that is_handshake() is true of. `origins` are those that may ask, in any
// case; empty: all. Clients that are no browser send none, and may ask as well.
[[nodiscard]] std::expected<Handshake, HandshakeFault> read_handshake(
    const http::Request& request, std::span<const std::string> origins = {});

// A field that a handshake alone may say: no application's own.
[[nodiscard]] bool is_of_handshake(std::string_view field_name) noexcept;

// Of such a request, in the order of the client's liking.
[[nodiscard]] std::vector<std::string_view> offered_subprotocols(
    const http::Request& request);

// Whether an application may choose it (WS02).
[[nodiscard]] bool offers_subprotocol(const Handshake& handshake,
                                      std::string_view subprotocol) noexcept;

// A 101, whose fields of the hop (Upgrade, Connection) are among these.
struct Acceptance {
  std::string accept;
  std::string subprotocol;  // empty: none
  std::string extensions;   // likewise
  std::optional<DeflateTerms> deflate;

  // Views of this object.
  [[nodiscard]] std::vector<http::HeaderView> fields() const;
};
// Without a subprotocol, or with one that was offered.
[[nodiscard]] Acceptance accept(const Handshake& handshake,
                                std::string_view subprotocol,
                                const DeflateOptions& options);

}  // namespace celadon::ws
