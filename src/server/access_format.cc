#include "server/access_format.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/log.h"
#include "base/quoted.h"

namespace celadon::server {
namespace {

void append_int(std::string& out, std::int64_t value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// "[10/Oct/2000:13:55:36 +0000]", rendered once a second per thread.
void append_time(std::string& out, std::int64_t now) {
  struct Cache {
    std::int64_t second = -1;
    std::string text;
  };
  static thread_local Cache cache;
  if (cache.second != now) {
    const auto at = static_cast<std::time_t>(now);
    std::tm local{};
    ::localtime_r(&at, &local);
    static constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    // %b would follow the locale.
    char day[8];
    char rest[32];
    std::strftime(day, sizeof day, "[%d/", &local);
    std::strftime(rest, sizeof rest, "/%Y:%H:%M:%S %z]", &local);
    const std::string_view month(kMonths + std::ptrdiff_t{3} * local.tm_mon, 3);
    cache = {now, day + std::string(month) + rest};
  }
  out += cache.text;
}

void append_or_dash(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += '-';
  } else {
    append_escaped(out, text);
  }
}

void append_fixed(std::string& out, std::int64_t whole, std::int64_t fraction) {
  append_int(out, whole);
  const std::string digits = std::to_string(1'000'000 + fraction);  // keeps its zeros
  out += '.';
  out += std::string_view(digits).substr(1);
}

std::string_view request_header(const AccessRecord& record, std::string_view name) {
  if (!record.request) return {};
  for (const http::Field& field : record.request->fields) {
    if (http::equals_ignoring_case(record.request->name(field), name)) {
      return record.request->value(field);
    }
  }
  return {};
}

std::string_view response_header(const AccessRecord& record, std::string_view name) {
  for (const http::HeaderView& header : record.response_headers) {
    if (http::equals_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

std::string_view environ_value(const AccessRecord& record, std::string_view name) {
  for (const http::HeaderView& item : record.environ) {
    if (item.name == name) return item.value;
  }
  return {};
}

std::string_view method_of(const AccessRecord& record) {
  return record.request ? record.request->text(record.request->method) : "";
}

void append_user(std::string& out, const AccessRecord& record) {
  // Only the name part of Basic credentials would be of interest, and it is the
  // application's to know whether they were right: gunicorn's atom prints "-" then.
  static_cast<void>(record);
  out += '-';
}

void append_protocol(std::string& out, const AccessRecord& record) {
  out += http::protocol_text(record.version);
}

// `db_us` and its like; false: no such kind of time.
bool append_spent(std::string_view name, const AccessRecord& record, std::string& out) {
  constexpr std::string_view kUnit = "_us";
  if (!name.ends_with(kUnit)) return false;
  name.remove_suffix(kUnit.size());
  if (name == "parked") {
    append_int(out, record.account->parked(record.ended) / 1000);
    return true;
  }
  const auto found = std::ranges::find(kSpentNames, name);
  if (found == kSpentNames.end()) return false;
  const auto kind = static_cast<Spent>(found - kSpentNames.begin());
  append_int(out, record.account->spent(kind, record.ended) / 1000);
  return true;
}

// A key and its value, in the order that they are added.
class KeyWriter {
 public:
  KeyWriter(std::string& out, bool json) : out_(out), json_(json) {
    if (json_) out_ += '{';
  }
  void number(std::string_view key, std::int64_t value) {
    begin(key);
    append_int(out_, value);
  }
  // An empty text is left out.
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    begin(key);
    const bool bare = !json_ && std::ranges::all_of(value, [](char c) {
      return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    });
    if (bare) {
      out_ += value;
    } else {
      append_quoted(out_, value);
    }
  }
  void end() { out_ += json_ ? "}\n" : "\n"; }

 private:
  void begin(std::string_view key) {
    if (!first_) out_ += json_ ? ',' : ' ';
    first_ = false;
    if (json_) out_ += '"';
    out_ += key;
    out_ += json_ ? "\":" : "=";
  }
  std::string& out_;
  const bool json_;
  bool first_ = true;
};

// "2026-11-25T09:30:00.123Z" (RFC 3339).
std::string_view timestamp(Nanos wall, std::array<char, 32>& room) {
  const auto at = static_cast<std::time_t>(wall / kSecond);
  std::tm utc{};
  ::gmtime_r(&at, &utc);
  std::size_t size = std::strftime(room.data(), room.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const std::string digits = std::to_string(1000 + wall % kSecond / kMillisecond);
  room[size++] = '.';
  size += digits.copy(room.data() + size, 3, 1);
  room[size++] = 'Z';
  return {room.data(), size};
}

}  // namespace

AccessFormat AccessFormat::make(AccessStyle style, std::string_view format,
                                int worker) {
  if (style == AccessStyle::Apache) return compile(format, worker);
  AccessFormat made;
  made.style_ = style;
  made.worker_ = worker;
  made.wants_identity_ = true;
  return made;
}

AccessFormat AccessFormat::compile(std::string_view format, int worker) {
  AccessFormat compiled;
  compiled.worker_ = worker;
  std::string literal;
  const auto flush_literal = [&] {
    if (!literal.empty()) compiled.atoms_.push_back({0, std::move(literal)});
    literal.clear();
  };
  while (!format.empty()) {
    const auto open = format.find("%(");
    literal += format.substr(0, open);
    if (open == std::string_view::npos) break;
    format.remove_prefix(open + 2);
    const auto close = format.find(")s");
    if (close == std::string_view::npos) {
      literal += "%(";
      continue;
    }
    const std::string_view name = format.substr(0, close);
    format.remove_prefix(close + 2);
    flush_literal();
    if (name.size() == 1) {
      compiled.atoms_.push_back({name[0], {}});
    } else if (name.size() > 3 && name.front() == '{' && name[name.size() - 2] == '}') {
      compiled.add_named(name.substr(1, name.size() - 3), name.back());
    } else {
      compiled.atoms_.push_back({'?', {}});
    }
  }
  flush_literal();
  return compiled;
}

void AccessFormat::add_named(std::string_view name, char kind) {
  switch (kind) {
    case 'i': break;
    case 'o': wants_response_ = true; break;
    case 'e': environ_names_.emplace_back(name); break;
    case 'x': wants_identity_ = wants_identity_ || name.ends_with("_id"); break;
    default: kind = '?';
  }
  atoms_.push_back({kind, std::string(name)});
}

void AccessFormat::render(const AccessRecord& record, Nanos wall,
                          std::string& out) const {
  if (style_ != AccessStyle::Apache) return render_keys(record, wall, out);
  for (const Atom& atom : atoms_) {
    if (atom.kind == 0) {
      out += atom.text;
    } else {
      render_atom(atom, record, wall / kSecond, out);
    }
  }
  out += '\n';
}

// What gunicorn does not know.
void AccessFormat::render_extra(std::string_view name, const AccessRecord& record,
                                std::string& out) const {
  const Identity* id = record.identity;
  if (name == "request_id") return append_or_dash(out, id ? id->request_id() : "");
  if (name == "trace_id") return append_or_dash(out, id ? id->trace_id() : "");
  if (name == "span_id") return append_or_dash(out, id ? id->span_id() : "");
  if (name == "queue_us") return append_int(out, record.queued / 1000);
  if (name == "bytes_in") return append_int(out, static_cast<Nanos>(record.bytes_in));
  if (name == "worker") return append_int(out, worker_);
  if (name == "route") return append_or_dash(out, record.route);
  if (record.account && append_spent(name, record, out)) return;
  if (name == "ttfb_us" && record.first_byte != kNever) {
    return append_int(out, record.first_byte / 1000);
  }
  if (name == "disconnect" && record.gone) {
    out += "client";
    return;
  }
  out += '-';
}

void AccessFormat::render_atom(const Atom& atom, const AccessRecord& record,
                               std::int64_t now, std::string& out) const {
  const http::Request* request = record.request;
  switch (atom.kind) {
    case 'h': append_or_dash(out, record.peer ? record.peer->ip_text() : ""); return;
    case 'l': out += '-'; return;
    case 'u': append_user(out, record); return;
    case 't': append_time(out, now); return;
    case 'r':
      append_or_dash(out, method_of(record));
      out += ' ';
      append_or_dash(out, request ? request->text(request->target) : "");
      out += ' ';
      append_protocol(out, record);
      return;
    case 's': append_int(out, record.status); return;
    case 'm': append_or_dash(out, method_of(record)); return;
    case 'U': append_or_dash(out, request ? request->path_text() : ""); return;
    case 'q': append_escaped(out, request ? request->text(request->query) : ""); return;
    case 'H': append_protocol(out, record); return;
    case 'B': append_int(out, static_cast<std::int64_t>(record.bytes)); return;
    case 'b':
      if (record.bytes == 0) {
        out += '-';
      } else {
        append_int(out, static_cast<std::int64_t>(record.bytes));
      }
      return;
    case 'f': append_or_dash(out, request_header(record, "referer")); return;
    case 'a': append_or_dash(out, request_header(record, "user-agent")); return;
    case 'T': append_int(out, record.duration / kSecond); return;
    case 'D': append_int(out, record.duration / 1000); return;
    case 'M': append_int(out, record.duration / kMillisecond); return;
    case 'L':
      append_fixed(out, record.duration / kSecond, record.duration % kSecond / 1000);
      return;
    case 'p':
      out += '<';
      append_int(out, ::getpid());
      out += '>';
      return;
    case 'i': append_or_dash(out, request_header(record, atom.text)); return;
    case 'o': append_or_dash(out, response_header(record, atom.text)); return;
    case 'e': append_or_dash(out, environ_value(record, atom.text)); return;
    case 'x': render_extra(atom.text, record, out); return;
    default: out += '-'; return;
  }
}

// Names of the Elastic Common Schema and of OpenTelemetry.
void AccessFormat::render_keys(const AccessRecord& record, Nanos wall,
                               std::string& out) const {
  const http::Request* request = record.request;
  std::array<char, 32> room;
  KeyWriter to(out, style_ == AccessStyle::Json);
  to.text("@timestamp", timestamp(wall, room));
  if (record.peer) to.text("client.address", record.peer->ip_text());
  if (request) {
    to.text("http.request.method", method_of(record));
    to.text("url.path", request->path_text());
    to.text("url.query", request->text(request->query));
    to.text("network.protocol.version", http::version_text(record.version));
    to.text("user_agent.original", request_header(record, "user-agent"));
  }
  to.number("http.response.status_code", record.status);
  to.number("http.response.body.bytes", static_cast<std::int64_t>(record.bytes));
  to.number("event.duration", record.duration);
  to.text("http.route", record.route);
  if (record.account) {
    to.number("queued_us", record.queued / 1000);
    for (std::size_t i = 0; i < kSpentKinds; ++i) {
      const auto kind = static_cast<Spent>(i);
      const Nanos spent = record.account->spent(kind, record.ended) / 1000;
      if (spent == 0 && is_parked(kind)) continue;
      to.number(std::string(name_of(kind)) + "_us", spent);
    }
  }
  if (record.identity) {
    to.text("request_id", record.identity->request_id());
    to.text("trace_id", record.identity->trace_id());
    to.text("span_id", record.identity->span_id());
  }
  to.number("worker", worker_);
  to.end();
}

}  // namespace celadon::server
