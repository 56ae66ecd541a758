#include "h2/head_reader.h"

#include <algorithm>

#include "base/memory.h"
#include "http/target.h"

namespace celadon::h2 {
namespace {

using http::HeaderId;
using http::Rejection;

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 6.5.2
constexpr std::size_t kLongestMethod = 32;  // as in HTTP/1
constexpr std::array<std::string_view, kPseudos> kPseudoNames{
    ":method", ":scheme", ":path", ":authority", ":protocol"};

bool has_upper(std::string_view name) noexcept {
  return std::ranges::any_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_letter(char c) noexcept {
  const char lower = http::to_lower(c);
  return lower >= 'a' && lower <= 'z';
}

// RFC 3986 3.1.
bool is_scheme(std::string_view text) noexcept {
  return !text.empty() && is_letter(text.front()) &&
         std::ranges::all_of(text, [](char c) {
           return is_letter(c) || http::is_digit(c) || c == '+' || c == '-' || c == '.';
         });
}

bool is_of_connection(HeaderId id) noexcept {
  switch (id) {
    case HeaderId::Connection:
    case HeaderId::KeepAlive:
    case HeaderId::ProxyConnection:
    case HeaderId::TransferEncoding:
    case HeaderId::Upgrade: return true;
    default: return false;
  }
}

}  // namespace

bool is_malformed(Rejection why) noexcept {
  constexpr int kBadRequest = 400;
  return http::rejection_info(why).status == kBadRequest;
}

Rejection judge_field(HeaderId id, std::string_view name,
                      std::string_view value) noexcept {
  if (has_upper(name)) return Rejection::BadHeaderName;
  if (!http::is_field_value(value) || http::trim_ows(value).size() != value.size()) {
    return Rejection::BadHeaderValue;
  }
  if (is_of_connection(id)) return Rejection::ConnectionField;
  if (id == HeaderId::Te && !http::equals_ignoring_case(value, "trailers")) {
    return Rejection::ConnectionField;
  }
  return Rejection::None;
}

void HeadReader::reset() noexcept {
  rules_.reset();
  request_.clear();
  request_.version = http::Version::Http2;
  bytes_.clear();
  pseudos_ = {};
  seen_ = 0;
  in_fields_ = false;
  priority_ = {};
  decoded_ = 0;
  why_ = Rejection::None;
}

void HeadReader::trim() noexcept {
  reset();
  give_back(bytes_);
  give_back(request_.fields);
}

http::Piece HeadReader::add(std::string_view text) {
  const auto at = static_cast<std::uint32_t>(bytes_.size());
  bytes_.append(text);
  return {at, static_cast<std::uint32_t>(text.size())};
}

void HeadReader::take(std::string_view name, std::string_view value) noexcept {
  decoded_ += name.size() + value.size() + kFieldOverhead;
  if (why_ != Rejection::None) return;
  if (decoded_ > options_->header_list) {
    why_ = Rejection::HeadTooLarge;
  } else {
    why_ = name.starts_with(':') ? on_pseudo(name, value) : on_field(name, value);
  }
}

Rejection HeadReader::on_pseudo(std::string_view name,
                                std::string_view value) noexcept {
  const auto known = std::ranges::find(kPseudoNames, name);
  if (known == kPseudoNames.end() || in_fields_) return Rejection::BadPseudoHeader;
  const auto which = static_cast<std::size_t>(known - kPseudoNames.begin());
  if (has(static_cast<Pseudo>(which))) return Rejection::BadPseudoHeader;
  if (!http::is_field_value(value)) return Rejection::BadPseudoHeader;
  if (value.size() > limits_->request_line) return Rejection::LineTooLong;
  seen_ |= 1U << which;
  pseudos_[which] = add(value);
  return Rejection::None;
}

void HeadReader::begin_fields() noexcept {
  if (in_fields_) return;
  in_fields_ = true;
  request_.fields_at = static_cast<std::uint32_t>(bytes_.size());
}

Rejection HeadReader::on_field(std::string_view name, std::string_view value) noexcept {
  begin_fields();
  if (name.empty()) return Rejection::BadHeaderName;
  const HeaderId id = http::header_id(name);
  const Rejection why = judge_field(id, name, value);
  if (why != Rejection::None) return why;
  constexpr std::size_t kColon = 2;  // as long as the line that HTTP/1 would have
  if (name.size() + kColon + value.size() > limits_->field_size) {
    return Rejection::HeadTooLarge;
  }
  if (id == HeaderId::Priority) priority_ = parse_priority(value);
  return add_field(id, name, value);
}

Rejection HeadReader::add_field(HeaderId id, std::string_view name,
                                std::string_view value) noexcept {
  const http::Piece at = add(name);
  const http::Piece value_at = add(value);
  const std::string_view all = bytes_;
  return rules_.take(request_, all.data() + request_.fields_at,
                     all.substr(at.at, at.size), all.substr(value_at.at, value_at.size),
                     id);
}

Rejection HeadReader::finish(bool ended) noexcept {
  request_.base = bytes_.data();
  request_.method = pseudos_[static_cast<std::size_t>(Pseudo::Method)];
  request_.target = pseudos_[static_cast<std::size_t>(Pseudo::Path)];
  if (why_ == Rejection::None) why_ = judge(ended);
  request_.base = bytes_.data();
  return why_;
}

Rejection HeadReader::judge(bool ended) noexcept {
  Rejection why = judge_pseudos();
  if (why != Rejection::None) return why;
  why = settle_host();
  if (why != Rejection::None) return why;
  join_cookies();
  why = rules_.finish(request_);
  return why == Rejection::None ? frame_body(ended) : why;
}

Rejection HeadReader::judge_pseudos() noexcept {
  if (!has(Pseudo::Method) || !http::is_token(pseudo(Pseudo::Method))) {
    return Rejection::BadPseudoHeader;
  }
  const bool is_connect = pseudo(Pseudo::Method) == "CONNECT";
  if (is_connect && !has(Pseudo::Protocol)) return judge_connect();
  if (has(Pseudo::Protocol)) {
    if (!is_connect || !options_->connect_protocol || !has(Pseudo::Authority) ||
        !http::is_token(pseudo(Pseudo::Protocol))) {
      return Rejection::BadPseudoHeader;
    }
  }
  if (!has(Pseudo::Scheme) || !has(Pseudo::Path)) return Rejection::BadPseudoHeader;
  for (const Rejection why : {judge_scheme(), judge_path(), judge_method()}) {
    if (why != Rejection::None) return why;
  }
  return Rejection::None;
}

// It is well-formed, and nobody serves it.
Rejection HeadReader::judge_connect() noexcept {
  if (has(Pseudo::Scheme) || has(Pseudo::Path) || !has(Pseudo::Authority)) {
    return Rejection::BadPseudoHeader;
  }
  http::Target target;
  return http::parse_target("CONNECT", pseudo(Pseudo::Authority), target);
}

Rejection HeadReader::judge_method() const noexcept {
  const std::string_view method = pseudo(Pseudo::Method);
  if (method.size() > kLongestMethod) return Rejection::UnknownMethod;
  return method == "TRACE" ? Rejection::TraceMethod : Rejection::None;
}

Rejection HeadReader::judge_scheme() const noexcept {
  const std::string_view scheme = pseudo(Pseudo::Scheme);
  if (!is_scheme(scheme)) return Rejection::BadPseudoHeader;
  // Others are of no use to an origin.
  return http::equals_ignoring_case(scheme, "https") ||
                 http::equals_ignoring_case(scheme, "http")
             ? Rejection::None
             : Rejection::BadTarget;
}

Rejection HeadReader::judge_path() noexcept {
  const std::string_view path = pseudo(Pseudo::Path);
  const bool is_server = path == "*" && pseudo(Pseudo::Method) == "OPTIONS";
  if (!path.starts_with('/') && !is_server) return Rejection::BadTarget;
  // A target of CONNECT would be an authority; that of RFC 8441 is a path.
  http::Target target;
  const Rejection why = http::parse_target(is_server ? "OPTIONS" : "GET", path, target);
  if (why != Rejection::None) return Rejection::BadTarget;
  const auto piece = [this](std::string_view part) -> http::Piece {
    if (part.empty()) return {};
    return {static_cast<std::uint32_t>(part.data() - bytes_.data()),
            static_cast<std::uint32_t>(part.size())};
  };
  request_.path = piece(target.path);
  request_.query = piece(target.query);
  return Rejection::None;
}

// Applications see a Host field, as they do with HTTP/1 (RFC 9113 8.3.1).
Rejection HeadReader::settle_host() noexcept {
  request_.base = bytes_.data();
  const http::Field* host = request_.find(HeaderId::Host);
  if (!has(Pseudo::Authority)) return host ? Rejection::None : Rejection::BadHost;
  const std::string_view authority = pseudo(Pseudo::Authority);
  if (!http::is_authority(authority)) return Rejection::BadHost;
  if (host) {
    return http::equals_ignoring_case(request_.value(*host), authority)
               ? Rejection::None
               : Rejection::BadHost;
  }
  begin_fields();
  return add_field(HeaderId::Host, "host", std::string(authority));
}

// Clients may split them, so that crumbs that stay are compressed (RFC 9113 8.2.3).
void HeadReader::join_cookies() {
  http::Field* first = nullptr;
  std::string joined;
  request_.base = bytes_.data();
  for (http::Field& field : request_.fields) {
    if (field.id != HeaderId::Cookie) continue;
    if (first) joined += http::joint_of(HeaderId::Cookie);
    joined += request_.value(field);
    if (!first) first = &field;
  }
  if (!first || joined.size() == first->value_size) return;
  const http::Piece piece = add(joined);
  first->value_at = piece.at - request_.fields_at;
  first->value_size = piece.size;
  const std::uint32_t kept = first->value_at;
  std::erase_if(request_.fields, [kept](const http::Field& field) {
    return field.id == HeaderId::Cookie && field.value_at != kept;
  });
}

// The end of the stream delimits a body; a length only has to agree (H206).
Rejection HeadReader::frame_body(bool ended) noexcept {
  if (ended) {
    return request_.content_length > 0 ? Rejection::BadContentLength : Rejection::None;
  }
  if (!request_.find(HeaderId::ContentLength)) request_.body = http::BodyKind::Chunked;
  return Rejection::None;
}

}  // namespace celadon::h2
