// One line of the access log: gunicorn's atoms compiled once, or the same facts as JSON
// or logfmt. Everything that comes from outside is escaped.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/account.h"
#include "base/clock.h"
#include "http/request.h"
#include "http/response.h"
#include "net/address.h"
#include "server/identity.h"

namespace celadon::server {

// One finished request, as views that live as long as the call.
struct AccessRecord {
  const net::Address* peer = nullptr;
  const http::Request* request = nullptr;  // null for a request that was refused unread
  const Identity* identity = nullptr;      // likewise
  std::span<const http::HeaderView> response_headers;
  std::span<const http::HeaderView> environ;
  int status = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_in = 0;
  Nanos duration = 0;
  Nanos queued = 0;                  // before the application began
  Nanos first_byte = kNever;         // from the request to the head of its answer
  const Account* account = nullptr;  // where the time went, until `ended`
  Nanos ended = 0;
  std::string_view route;
  http::Version version = http::Version::Http11;
  bool gone = false;  // the client left first
};

enum class AccessStyle : std::uint8_t { Apache, Json, Logfmt };

class AccessFormat {
 public:
  // The text of a gunicorn access_log_format; unknown atoms print "-". `worker` is the
  // place of this process among the workers.
  static AccessFormat compile(std::string_view format, int worker = 0);
  static AccessFormat make(AccessStyle style, std::string_view format, int worker);
  void render(const AccessRecord& record, Nanos wall, std::string& out) const;
  // True where an atom needs the response's headers, or names of traces.
  [[nodiscard]] bool wants_response_headers() const noexcept { return wants_response_; }
  [[nodiscard]] bool wants_identity() const noexcept { return wants_identity_; }
  // The environ's keys that atoms name.
  [[nodiscard]] const std::vector<std::string>& environ_names() const noexcept {
    return environ_names_;
  }

 private:
  struct Atom {
    char kind;         // 0: literal text
    std::string text;  // the literal, or the name in {...}
  };
  void add_named(std::string_view name, char kind);
  void render_atom(const Atom& atom, const AccessRecord& record, std::int64_t now,
                   std::string& out) const;
  void render_extra(std::string_view name, const AccessRecord& record,
                    std::string& out) const;
  void render_keys(const AccessRecord& record, Nanos wall, std::string& out) const;

  AccessStyle style_ = AccessStyle::Apache;
  int worker_ = 0;
  std::vector<Atom> atoms_;
  std::vector<std::string> environ_names_;
  bool wants_response_ = false;
  bool wants_identity_ = false;
};

}  // namespace celadon::server
