#include "http/h1/parser.h"

#include "http/target.h"

namespace celadon::http::h1 {
namespace {

constexpr std::size_t kLongestMethod = 32;
constexpr unsigned kEmptyLines = 4;

}  // namespace

void HeadParser::reset(std::uint8_t empty_lines) noexcept {
  request_.clear();
  rules_.reset();
  line_ = scan_ = 0;
  base_ = nullptr;
  hint_ = nullptr;
  empty_lines_ = empty_lines;
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
      request_.fields_at = static_cast<std::uint32_t>(line_);
      if (why == Rejection::None && recall_block(bytes)) return Step::Done;
    } else if (line.empty()) {
      request_.base = base_;
      why = rules_.finish(request_);
      if (why != Rejection::None) return reject(why);
      remember_block(bytes);
      return Step::Done;
    } else {
      why = on_field(line);
    }
    if (why != Rejection::None) return reject(why);
  }
}

// A block whose every byte was judged before needs no other look.
bool HeadParser::recall_block(std::string_view bytes) noexcept {
  if (!hint_ || request_.version != Version::Http11) return false;
  const std::size_t size = known_->recall(bytes.substr(line_), *hint_, request_);
  if (size == 0) return false;
  request_.base = base_;
  line_ = scan_ = line_ + size;
  return true;
}

void HeadParser::remember_block(std::string_view bytes) noexcept {
  if (!hint_ || request_.version != Version::Http11) return;
  const std::size_t begin = request_.fields_at;
  known_->remember(bytes.substr(begin, line_ - begin), request_, *hint_);
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
    return rules_.untouched() ? Rejection::BadHeaderName : Rejection::ObsoleteFold;
  }
  const auto [name, value] = split_field_line(line);
  return rules_.take(request_, base_ + request_.fields_at, name, value);
}

}  // namespace celadon::http::h1
