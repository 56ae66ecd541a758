#include "http/field_rules.h"

#include <utility>

#include "http/target.h"

namespace celadon::http {
namespace {

constexpr std::uint32_t bit(HeaderId id) noexcept {
  return std::uint32_t{1} << static_cast<unsigned>(id);
}
// Whether the ids that are looked for again fit one word.
consteval bool seen_is_wide_enough() {
  for (std::size_t i = 32; i < kKnownHeaders; ++i) {
    const auto id = static_cast<HeaderId>(i);
    if (has_trait(id, Trait::Single, Trait::Read)) return false;
  }
  return true;
}
static_assert(seen_is_wide_enough());

Rejection repeated(HeaderId id) noexcept {
  switch (id) {
    case HeaderId::Host: return Rejection::BadHost;
    case HeaderId::ContentLength: return Rejection::BadContentLength;
    case HeaderId::TransferEncoding: return Rejection::BadTransferEncoding;
    default: return Rejection::RepeatedSingleton;
  }
}

// Digits only, at most 2^63 - 1 (CL01 to CL04).
std::optional<std::uint64_t> parse_length(std::string_view value) noexcept {
  constexpr std::size_t kMostDigits = 19;
  if (value.empty() || value.size() > kMostDigits) return std::nullopt;
  std::uint64_t length = 0;
  for (const char c : value) {
    if (!is_digit(c)) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (length > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return length;
}

Rejection read_length(RequestLine& request, std::string_view value) noexcept {
  const auto length = parse_length(value);
  if (!length) return Rejection::BadContentLength;
  request.body = *length ? BodyKind::Length : BodyKind::None;
  request.content_length = *length;
  return Rejection::None;
}

Rejection judge_coding(const RequestLine& request, std::string_view value) noexcept {
  if (request.version == Version::Http10) return Rejection::BadTransferEncoding;
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
  return others ? Rejection::UnknownCoding : Rejection::None;
}

void read_connection(RequestLine& request, std::string_view value) noexcept {
  for_each_element(value, [&request](std::string_view option) {
    if (equals_ignoring_case(option, "close")) request.close = true;
    if (equals_ignoring_case(option, "keep-alive")) request.keep_alive = true;
    if (equals_ignoring_case(option, "upgrade")) request.upgrade = true;
  });
}

Rejection read_expect(RequestLine& request, std::string_view value) noexcept {
  if (request.version == Version::Http10) return Rejection::None;
  if (!equals_ignoring_case(value, "100-continue")) return Rejection::UnmetExpectation;
  request.expects_continue = true;
  return Rejection::None;
}

}  // namespace

std::optional<HeaderId> field_id(std::string_view name) noexcept {
  const HeaderId id = header_id(name);
  return is_name(id, name) ? std::optional(id) : std::nullopt;
}

// --- a request's ---

Rejection FieldRules::read(Request& request, const char* base, std::string_view name,
                           std::string_view value, HeaderId id) noexcept {
  if (has_trait(id, Trait::Hidden, Trait::Ambiguous)) {
    if (has_trait(id, Trait::Hidden)) return Rejection::None;
    if (limits_->refuse_underscores) return Rejection::BadHeaderName;
    put(request, base, name, value, id);
    return Rejection::None;
  }
  put(request, base, name, value, id);
  if ((seen_ & bit(id)) != 0 && has_trait(id, Trait::Single)) return repeated(id);
  seen_ |= bit(id);
  switch (id) {
    case HeaderId::Host:
      // Most requests name the host that the last one named.
      return !value.empty() && value == good_host_ ? Rejection::None
                                                   : judge_host(value);
    case HeaderId::ContentLength: return read_length(request, value);
    case HeaderId::TransferEncoding: return judge_coding(request, value);
    case HeaderId::Connection: read_connection(request, value); return Rejection::None;
    case HeaderId::Expect: return read_expect(request, value);
    default: return Rejection::None;
  }
}

Rejection FieldRules::judge_host(std::string_view value) noexcept {
  if (!is_authority(value)) return Rejection::BadHost;
  good_host_ = value;
  return Rejection::None;
}

Rejection FieldRules::finish(Request& request) noexcept {
  if (request.version == Version::Http11 && !(seen_ & bit(HeaderId::Host)))
    return Rejection::BadHost;
  if (seen_ & bit(HeaderId::TransferEncoding)) {
    if (seen_ & bit(HeaderId::ContentLength)) return Rejection::BadTransferEncoding;
    request.body = BodyKind::Chunked;
  }
  if (request.upgrade && !request.find(HeaderId::Upgrade)) request.upgrade = false;
  if (request.body == BodyKind::Length && request.content_length > limits_->body)
    return Rejection::BodyTooLarge;
  if (request.version == Version::Http10 && !request.keep_alive) request.close = true;
  return Rejection::None;
}

// --- a trailer's ---

Rejection TrailerRules::take(std::string_view name, std::string_view value) noexcept {
  const auto id = field_id(name);
  if (!id || !is_field_value(value) || has_trait(*id, Trait::Framing))
    return Rejection::BadTrailer;
  return budget_.take(*limits_, name, value) ? Rejection::None
                                             : Rejection::HeadTooLarge;
}

// --- an answer's ---

AnswerRules::Verdict AnswerRules::take(HeaderId id, std::string_view value) noexcept {
  switch (id) {
    case HeaderId::ContentLength: {
      const auto length = parse_length(trim_ows(value));
      if (says_.content_length || !length) return Verdict::Bad;
      says_.content_length = length;
      return Verdict::Heard;
    }
    case HeaderId::Date:
      return std::exchange(says_.has_date, true) ? Verdict::Heard : Verdict::Keep;
    case HeaderId::Server:
      return std::exchange(says_.has_server, true) ? Verdict::Heard : Verdict::Keep;
    case HeaderId::XRequestId: says_.has_request_id = true; return Verdict::Keep;
    case HeaderId::Connection:
      for_each_element(value, [this](std::string_view option) {
        if (equals_ignoring_case(option, "close")) says_.close = true;
      });
      return says_.close ? Verdict::Heard : Verdict::Dropped;
    case HeaderId::TransferEncoding: has_coding_ = true; return Verdict::Dropped;
    case HeaderId::Trailer: return has_trailers_ ? Verdict::Keep : Verdict::Dropped;
    default: return has_trait(id, Trait::OfHop) ? Verdict::Dropped : Verdict::Keep;
  }
}

}  // namespace celadon::http
