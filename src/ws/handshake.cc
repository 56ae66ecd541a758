#include "ws/handshake.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "http/headers.h"
#include "http/method.h"
#include "ws/accept_key.h"

namespace celadon::ws {
namespace {

constexpr std::string_view kVersion = "13";
// Of a 426: what it asks for, which is of this hop (RFC 9110 15.5.22, RFC 6455 4.4).
constexpr std::array<http::HeaderView, 3> kAskedFor{
    {{"Upgrade", "websocket"},
     {"Connection", "Upgrade"},
     {"Sec-WebSocket-Version", kVersion}}};

// Calls `each` with the value of every field of that name.
template <class Each>
void for_each_value(const http::Request& request, std::string_view name, Each each) {
  for (const http::Field& field : request.fields) {
    if (http::equals_ignoring_case(request.name(field), name))
      each(request.value(field));
  }
}

bool has_element(const http::Request& request, std::string_view name,
                 std::string_view element) noexcept {
  bool found = false;
  for_each_value(request, name, [&](std::string_view list) {
    http::for_each_element(list, [&](std::string_view each) {
      found = found || http::equals_ignoring_case(each, element);
    });
  });
  return found;
}

struct Single {
  std::string_view value;
  std::size_t count = 0;
};
Single single(const http::Request& request, std::string_view name) noexcept {
  Single found;
  for_each_value(request, name, [&](std::string_view value) {
    found.value = value;
    ++found.count;
  });
  return found;
}

bool read_subprotocols(const http::Request& request,
                       std::vector<std::string_view>& out) {
  bool good = true;
  for_each_value(request, "sec-websocket-protocol", [&](std::string_view list) {
    http::for_each_element(list, [&](std::string_view each) {
      if (each.empty()) return;
      good = good && http::is_token(each);
      out.push_back(each);
    });
  });
  return good;
}

bool read_extensions(const http::Request& request, std::vector<Extension>& out) {
  bool good = true;
  for_each_value(request, "sec-websocket-extensions", [&](std::string_view list) {
    good = good && parse_extensions(list, out);
  });
  return good;
}

// A browser sends one; who sends several is none, and wants to be taken for one.
bool may_ask(const Single& origin, std::span<const std::string> origins) noexcept {
  if (origins.empty() || origin.count == 0) return true;
  return origin.count == 1 &&
         std::ranges::any_of(origins, [&origin](const std::string& each) {
           return http::equals_ignoring_case(each, origin.value);
         });
}

}  // namespace

bool is_handshake(const http::Request& request) noexcept {
  return request.version == http::Version::Http11 &&
         http::parse_method(request.text(request.method)) == http::Method::Get &&
         has_element(request, "upgrade", "websocket") &&
         has_element(request, "connection", "upgrade");
}

HandshakeFaultInfo handshake_fault_info(HandshakeFault fault) noexcept {
  switch (fault) {
    case HandshakeFault::HasBody:
      return {400, "WebSocket handshake with a body", {}, true};
    case HandshakeFault::NoKey: return {400, "missing or invalid Sec-WebSocket-Key"};
    case HandshakeFault::RepeatedKey:
      return {400, "repeated Sec-WebSocket-Key", {}, true};
    case HandshakeFault::OtherVersion:
      return {426, "WebSocket version not supported", kAskedFor};
    case HandshakeFault::RepeatedVersion:
      return {400, "repeated Sec-WebSocket-Version", {}, true};
    case HandshakeFault::BadSubprotocol:
      return {400, "malformed Sec-WebSocket-Protocol"};
    case HandshakeFault::BadExtension:
      return {400, "malformed Sec-WebSocket-Extensions"};
    case HandshakeFault::WrongOrigin: return {403, "origin not allowed"};
  }
  std::unreachable();
}

std::expected<Handshake, HandshakeFault> read_handshake(
    const http::Request& request, std::span<const std::string> origins) {
  if (request.body != http::BodyKind::None)
    return std::unexpected(HandshakeFault::HasBody);
  const Single version = single(request, "sec-websocket-version");
  if (version.count > 1) return std::unexpected(HandshakeFault::RepeatedVersion);
  if (version.value != kVersion) return std::unexpected(HandshakeFault::OtherVersion);
  const Single key = single(request, "sec-websocket-key");
  if (key.count > 1) return std::unexpected(HandshakeFault::RepeatedKey);
  if (!is_key(key.value)) return std::unexpected(HandshakeFault::NoKey);

  Handshake handshake;
  handshake.key = key.value;
  if (!read_subprotocols(request, handshake.subprotocols))
    return std::unexpected(HandshakeFault::BadSubprotocol);
  if (!read_extensions(request, handshake.extensions))
    return std::unexpected(HandshakeFault::BadExtension);
  const Single origin = single(request, "origin");
  if (!may_ask(origin, origins)) return std::unexpected(HandshakeFault::WrongOrigin);
  handshake.origin = origin.value;
  return handshake;
}

bool is_of_handshake(std::string_view field_name) noexcept {
  constexpr std::string_view kPrefix = "sec-websocket-";
  return http::equals_ignoring_case(field_name.substr(0, kPrefix.size()), kPrefix);
}

std::vector<std::string_view> offered_subprotocols(const http::Request& request) {
  std::vector<std::string_view> out;
  [[maybe_unused]] const bool good = read_subprotocols(request, out);
  return out;
}

bool offers_subprotocol(const Handshake& handshake,
                        std::string_view subprotocol) noexcept {
  return std::ranges::find(handshake.subprotocols, subprotocol) !=
         handshake.subprotocols.end();
}

Acceptance accept(const Handshake& handshake, std::string_view subprotocol,
                  const DeflateOptions& options) {
  CHECK(subprotocol.empty() || offers_subprotocol(handshake, subprotocol),
        "a subprotocol that was not offered");
  Acceptance out;
  out.accept = accept_of(handshake.key);
  out.subprotocol = subprotocol;
  out.deflate = choose_deflate(handshake.extensions, options);
  if (out.deflate) out.extensions = out.deflate->text();
  return out;
}

std::vector<http::HeaderView> Acceptance::fields() const {
  std::vector<http::HeaderView> out{{"Upgrade", "websocket"},
                                    {"Connection", "Upgrade"},
                                    {"Sec-WebSocket-Accept", accept}};
  if (!subprotocol.empty()) out.push_back({"Sec-WebSocket-Protocol", subprotocol});
  if (!extensions.empty()) out.push_back({"Sec-WebSocket-Extensions", extensions});
  return out;
}

}  // namespace celadon::ws
