#include "http/h1/parser.h"

#include "http/target.h"

namespace celadon::http::h1 {
namespace {

constexpr std::size_t kLongestMethod = 32;
constexpr unsigned kEmptyLines = 4;
constexpr std::size_t kFieldOverhead = 4;  // ": " and CRLF, so that empty fields cost

constexpr std::uint32_t bit(HeaderId id) noexcept {
  return std::uint32_t{1} << static_cast<unsigned>(id);
}
// Ids are bits of one word: those checked here come first in the list.
static_assert(static_cast<unsigned>(HeaderId::Expect) < 32);

constexpr std::uint32_t kSingletons =
    bit(HeaderId::Host) | bit(HeaderId::ContentLength) |
    bit(HeaderId::TransferEncoding) | bit(HeaderId::ContentType) |
    bit(HeaderId::Authorization);

}  // namespace

FieldLine parse_field_line(std::string_view line) noexcept {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return {{}, {}, Rejection::BadHeaderName};
  const std::string_view name = line.substr(0, colon);
  const HeaderId id = header_id(name);
  // A known name is a token.
  if (id >= HeaderId::Count && !is_token(name)) {
    return {{}, {}, Rejection::BadHeaderName};
  }
  return {name, trim_ows(line.substr(colon + 1)), Rejection::None, id};
}

void HeadParser::reset() noexcept {
  request_.clear();
  line_ = scan_ = head_size_ = field_count_ = 0;
  base_ = nullptr;
  empty_lines_ = 0;
  seen_ = 0;
  part_ = Part::Start;
  rejection_ = Rejection::None;
}

HeadParser::Step HeadParser::reject(Rejection why) noexcept {
  rejection_ = why;
  return Step::Rejected;
}

Piece HeadParser::piece(std::string_view part) const noexcept {
  if (part.empty()) return {};
  return {static_cast<std::uint32_t>(part.data() - base_),
          static_cast<std::uint32_t>(part.size())};
}

std::size_t HeadParser::line_limit() const noexcept {
  return part_ == Part::Start ? limits_->request_line : limits_->field_size;
}

HeadParser::Line HeadParser::next_line(std::string_view bytes,
                                       std::string_view& line) noexcept {
  const char* end = bytes.data() + bytes.size();
  const char* stop = find_control(bytes.data() + scan_, end);
  scan_ = static_cast<std::size_t>(stop - bytes.data());
  const std::size_t size = scan_ - line_;
  if (size > line_limit()) {
    rejection_ =
        part_ == Part::Start ? Rejection::LineTooLong : Rejection::HeadTooLarge;
    return Line::Bad;
  }
  if (stop == end) return Line::Partial;
  if (*stop != '\r') {
    rejection_ = *stop == '\n'          ? Rejection::BadLineEnd
                 : part_ == Part::Start ? Rejection::BadRequestLine
                                        : Rejection::BadHeaderValue;
    return Line::Bad;
  }
  if (stop + 1 == end) return Line::Partial;
  if (stop[1] != '\n') {
    rejection_ = Rejection::BadLineEnd;
    return Line::Bad;
  }
  line = bytes.substr(line_, size);
  line_ = scan_ = scan_ + 2;
  return Line::Complete;
}

HeadParser::Step HeadParser::feed(std::string_view bytes) noexcept {
  base_ = bytes.data();
  std::string_view line;
  while (true) {
    switch (next_line(bytes, line)) {
      case Line::Bad: return Step::Rejected;
      case Line::Partial: return Step::NeedMore;
      case Line::Complete: break;
    }
    Rejection why = Rejection::None;
    if (part_ == Part::Start) {
      if (line.empty()) {
        if (++empty_lines_ > kEmptyLines) return reject(Rejection::BadRequestLine);
        continue;
      }
      why = on_request_line(line);
      part_ = Part::Fields;
    } else if (line.empty()) {
      request_.base = base_;
      why = finish();
      return why == Rejection::None ? Step::Done : reject(why);
    } else {
      why = on_field(line);
    }
    if (why != Rejection::None) return reject(why);
  }
}

Rejection HeadParser::on_request_line(std::string_view line) noexcept {
  const auto first = line.find(' ');
  if (first == std::string_view::npos) return Rejection::BadRequestLine;
  const std::string_view method = line.substr(0, first);
  if (!is_token(method)) return Rejection::BadRequestLine;
  line.remove_prefix(first + 1);
  const auto second = line.find(' ');
  if (second == std::string_view::npos) return Rejection::BadRequestLine;
  const std::string_view target = line.substr(0, second);
  const std::string_view version = line.substr(second + 1);
  const Rejection why = on_version(version);
  if (why != Rejection::None) {
    // A target that is none makes the line bad, whatever version it names.
    return is_target_text(target) && !target.empty() ? why : Rejection::BadRequestLine;
  }
  if (method.size() > kLongestMethod) {
    return is_target_text(target) ? Rejection::UnknownMethod
                                  : Rejection::BadRequestLine;
  }
  request_.method = piece(method);
  request_.target = piece(target);
  return on_target(method, target);
}

Rejection HeadParser::on_version(std::string_view version) noexcept {
  if (version == "HTTP/1.1") return Rejection::None;
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7])) {
    return version.contains(' ') ? Rejection::BadRequestLine : Rejection::BadVersion;
  }
  if (version[5] != '1' || version[7] > '1') return Rejection::UnknownVersion;
  request_.version = version[7] == '0' ? Version::Http10 : Version::Http11;
  return Rejection::None;
}

Rejection HeadParser::on_target(std::string_view method,
                                std::string_view target) noexcept {
  Target parsed;
  const Rejection why = parse_target(method, target, parsed);
  if (why != Rejection::None) return why;
  if (method == "TRACE") return Rejection::TraceMethod;
  request_.query = piece(parsed.query);
  request_.authority = piece(parsed.authority);
  const char* path = parsed.path.data();
  if (path >= target.data() && path < target.data() + target.size()) {
    request_.path = piece(parsed.path);
  } else {
    request_.path_default = *path;
  }
  if (request_.authority.size > 0 && limits_->refuse_absolute_form) {
    return Rejection::BadTarget;
  }
  return Rejection::None;
}

Rejection HeadParser::on_field(std::string_view line) noexcept {
  if (line.front() == ' ' || line.front() == '\t') {
    return field_count_ == 0 ? Rejection::BadHeaderName : Rejection::ObsoleteFold;
  }
  const FieldLine field = parse_field_line(line);
  if (field.rejection != Rejection::None) return field.rejection;
  head_size_ += field.name.size() + field.value.size() + kFieldOverhead;
  if (++field_count_ > limits_->fields || head_size_ > limits_->head) {
    return Rejection::HeadTooLarge;
  }
  const HeaderId id = field.id;
  if (id == HeaderId::Proxy)
    return Rejection::None;  // httpoxy: gone before anyone looks
  if (id == HeaderId::Underscored && limits_->refuse_underscores) {
    return Rejection::BadHeaderName;
  }
  request_.fields.push_back({static_cast<std::uint32_t>(field.name.data() - base_),
                             static_cast<std::uint32_t>(field.value.data() - base_),
                             static_cast<std::uint32_t>(field.value.size()),
                             static_cast<std::uint16_t>(field.name.size()), id});
  if (id > HeaderId::Expect) return Rejection::None;
  return on_known_field(id, field.value);
}

Rejection HeadParser::on_known_field(HeaderId id, std::string_view value) noexcept {
  if ((seen_ & bit(id) & kSingletons) != 0) {
    switch (id) {
      case HeaderId::Host: return Rejection::BadHost;
      case HeaderId::ContentLength: return Rejection::BadContentLength;
      case HeaderId::TransferEncoding: return Rejection::BadTransferEncoding;
      default: return Rejection::RepeatedSingleton;
    }
  }
  seen_ |= bit(id);
  switch (id) {
    case HeaderId::Host: return on_host(value);
    case HeaderId::ContentLength: return on_content_length(value);
    case HeaderId::TransferEncoding: return on_transfer_encoding(value);
    case HeaderId::Connection:
      for_each_element(value, [this](std::string_view option) {
        if (equals_ignoring_case(option, "close")) request_.close = true;
        if (equals_ignoring_case(option, "keep-alive")) request_.keep_alive = true;
      });
      return Rejection::None;
    case HeaderId::Expect:
      if (request_.version == Version::Http10) return Rejection::None;
      if (!equals_ignoring_case(value, "100-continue"))
        return Rejection::UnmetExpectation;
      request_.expects_continue = true;
      return Rejection::None;
    default: return Rejection::None;
  }
}

// Most requests name the host that the last one named.
Rejection HeadParser::on_host(std::string_view value) noexcept {
  if (!value.empty() && value == good_host_) return Rejection::None;
  if (!is_authority(value)) return Rejection::BadHost;
  good_host_ = value;
  return Rejection::None;
}

Rejection HeadParser::on_content_length(std::string_view value) noexcept {
  constexpr std::size_t kMostDigits = 19;  // of 2^63 - 1
  if (value.empty() || value.size() > kMostDigits) return Rejection::BadContentLength;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (!is_digit(c)) return Rejection::BadContentLength;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (length > static_cast<std::uint64_t>(INT64_MAX))
    return Rejection::BadContentLength;
  request_.body = length ? BodyKind::Length : BodyKind::None;
  request_.content_length = length;
  return Rejection::None;
}

Rejection HeadParser::on_transfer_encoding(std::string_view value) noexcept {
  if (request_.version == Version::Http10) return Rejection::BadTransferEncoding;
  bool bad = false;
  bool others = false;
  bool last_is_chunked = false;
  for_each_element(value, [&](std::string_view coding) {
    // "chunked" before the end, or an element that is no coding at all.
    bad = bad || last_is_chunked || !is_token(coding);
    others = others || !equals_ignoring_case(coding, "chunked");
    last_is_chunked = equals_ignoring_case(coding, "chunked");
  });
  if (bad || !last_is_chunked) return Rejection::BadTransferEncoding;
  if (others) return Rejection::UnknownCoding;
  return Rejection::None;
}

Rejection HeadParser::check_framing() noexcept {
  if (seen_ & bit(HeaderId::TransferEncoding)) {
    if (seen_ & bit(HeaderId::ContentLength)) return Rejection::BadTransferEncoding;
    request_.body = BodyKind::Chunked;
  }
  if (request_.body == BodyKind::Length && request_.content_length > limits_->body) {
    return Rejection::BodyTooLarge;
  }
  return Rejection::None;
}

Rejection HeadParser::finish() noexcept {
  if (request_.version == Version::Http11 && !(seen_ & bit(HeaderId::Host)))
    return Rejection::BadHost;
  const Rejection why = check_framing();
  if (why != Rejection::None) return why;
  if (request_.version == Version::Http10 && !request_.keep_alive)
    request_.close = true;
  return Rejection::None;
}

}  // namespace celadon::http::h1
