// A request head as offsets into its bytes, so that moving the bytes moves the request.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace celadon::http {

enum class Version : std::uint8_t { Http10, Http11, Http2 };
// `HTTP/1.1`, as in a status line; and `1.1`, as in metrics.
[[nodiscard]] constexpr std::string_view protocol_text(Version version) noexcept {
  constexpr std::string_view kTexts[]{"HTTP/1.0", "HTTP/1.1", "HTTP/2"};
  return kTexts[static_cast<std::size_t>(version)];
}
[[nodiscard]] constexpr std::string_view version_text(Version version) noexcept {
  return protocol_text(version).substr(5);
}

// Offsets are those from the first field.
struct Field {
  std::uint32_t name_at;
  std::uint32_t value_at;
  std::uint32_t value_size;
  std::uint16_t name_size;
  HeaderId id;
};

struct Piece {
  std::uint32_t at = 0;
  std::uint32_t size = 0;
};

enum class BodyKind : std::uint8_t { None, Length, Chunked };

// What the fields say about framing, and about the connection.
struct BlockFacts {
  std::uint64_t content_length = 0;  // for BodyKind::Length
  // A number of this very block of fields, which never comes again; 0: it has none.
  std::uint64_t block = 0;
  BodyKind body = BodyKind::None;
  bool expects_continue = false;
  bool close = false;       // the connection ends with this request
  bool keep_alive = false;  // HTTP/1.0 asked to keep it
  bool upgrade = false;     // Connection names it, and an Upgrade field is there
};

// Likewise, and what the request line says.
struct RequestLine : BlockFacts {
  const char* base = nullptr;
  Piece method;
  Piece target;  // as received
  Piece path;    // still encoded; may be empty where `path_default` stands for it
  Piece query;
  Piece authority;        // of an absolute target
  char path_default = 0;  // '/' or '*' where an absolute target has no path
  Version version = Version::Http11;
  std::uint32_t fields_at = 0;  // where they begin
};

struct Request : RequestLine {
  std::vector<Field> fields;

  [[nodiscard]] std::string_view text(Piece p) const noexcept {
    return {base + p.at, p.size};
  }
  [[nodiscard]] std::string_view name(const Field& f) const noexcept {
    return {base + fields_at + f.name_at, f.name_size};
  }
  [[nodiscard]] std::string_view value(const Field& f) const noexcept {
    return {base + fields_at + f.value_at, f.value_size};
  }
  [[nodiscard]] std::string_view path_text() const noexcept {
    return path_default ? std::string_view(&path_default, 1) : text(path);
  }
  // The first field of that id, or null.
  [[nodiscard]] const Field* find(HeaderId id) const noexcept {
    for (const Field& f : fields) {
      if (f.id == id) return &f;
    }
    return nullptr;
  }
  // Another protocol may follow this request (RFC 9110 7.8): behind a body it would not
  // be known where it begins, and HTTP/1.0 has none (CN12).
  [[nodiscard]] bool asks_to_upgrade() const noexcept {
    return upgrade && version == Version::Http11 && body == BodyKind::None;
  }
  // As new, but keeps the memory of the fields.
  void clear() noexcept {
    static_cast<RequestLine&>(*this) = {};
    fields.clear();
  }
};

}  // namespace celadon::http
