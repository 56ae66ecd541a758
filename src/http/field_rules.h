// What header fields may be: their names, which may come twice and how those are
// joined, what is of one hop only, what is never shown, what a value has to look like
// and what fields say together. Everything about fields that does not depend on how a
// protocol writes them is here, and nowhere else:
//
//   h1 (lines) ──► FieldRules ──► Request ──► environ (has_trait, joint_of)
//                  TrailerRules
//   application ─► AnswerRules ─► ResponseHead
//
// Who splits lines or decodes blocks finds names and values and proves values clean
// (is_field_value). What is so of every field of a name is a bit in one table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "http/headers.h"
#include "http/limits.h"
#include "http/rejection.h"
#include "http/request.h"

namespace celadon::http {

// What is so of every field of a name.
enum class Trait : std::uint8_t {
  Single = 1,     // a request has at most one (HF13)
  Read = 2,       // a request's is read by the server, and judged
  Hidden = 4,     // dropped on arrival: it would pass for something else (HF11)
  Ambiguous = 8,  // could pass for another name where '_' stands for '-' (HF10)
  OfHop = 16,     // of one connection: never an application's to send (RS03)
  Framing = 32,   // says where a message ends, or whom it is for: never in a trailer
  OfProxy = 64,   // what a proxy says of its client (EN10)
};

namespace detail {
consteval std::array<std::uint8_t, kKnownHeaders + 2> make_traits() {
  using enum HeaderId;
  std::array<std::uint8_t, kKnownHeaders + 2> table{};
  const auto set = [&table](Trait trait, std::initializer_list<HeaderId> ids) {
    for (const HeaderId id : ids) {
      auto& entry = table[static_cast<std::size_t>(id)];
      entry = static_cast<std::uint8_t>(entry | static_cast<unsigned>(trait));
    }
  };
  set(Trait::Single,
      {Host, ContentLength, TransferEncoding, ContentType, Authorization});
  set(Trait::Read, {Host, ContentLength, TransferEncoding, Connection, Expect});
  set(Trait::Hidden, {Proxy});
  set(Trait::Ambiguous, {Underscored});
  set(Trait::OfHop, {Connection, KeepAlive, ProxyAuthenticate, ProxyAuthorization,
                     ProxyConnection, Te, Trailer, TransferEncoding, Upgrade});
  set(Trait::Framing, {Host, ContentLength, TransferEncoding});
  set(Trait::OfProxy,
      {Forwarded, XForwardedFor, XForwardedProto, XForwardedProtocol, XForwardedSsl,
       XForwardedHost, XForwardedPort, XForwardedPrefix, XRealIp});
  return table;
}
inline constexpr auto kTraits = make_traits();
}  // namespace detail

template <class... Traits>
[[nodiscard]] constexpr bool has_trait(HeaderId id, Traits... any_of) noexcept {
  return (detail::kTraits[static_cast<std::size_t>(id)] &
          (static_cast<unsigned>(any_of) | ...)) != 0;
}

// What stands between the values of a repeated field that are made one (HF12).
[[nodiscard]] constexpr std::string_view joint_of(HeaderId id) noexcept {
  return id == HeaderId::Cookie ? "; " : ",";
}

// A name is a token (HF04), and so are those that are known.
[[nodiscard]] constexpr bool is_name(HeaderId id, std::string_view name) noexcept {
  return id < HeaderId::Count || is_token(name);
}
// The id of what may be a name; nothing of what may not.
[[nodiscard]] std::optional<HeaderId> field_id(std::string_view name) noexcept;

// How much the fields of one section come to (HF09).
class FieldBudget {
 public:
  // False: it is more than the limits allow.
  [[nodiscard]] bool take(const Limits& limits, std::string_view name,
                          std::string_view value) noexcept {
    constexpr std::size_t kOverhead = 4;  // ": " and CRLF, so that empty fields cost
    size_ += name.size() + value.size() + kOverhead;
    return ++count_ <= limits.fields && size_ <= limits.head;
  }
  [[nodiscard]] bool untouched() const noexcept { return count_ == 0; }

 private:
  std::size_t count_ = 0;
  std::size_t size_ = 0;
};

// The fields of one request, in their order.
class FieldRules {
 public:
  explicit FieldRules(const Limits& limits) noexcept : limits_(&limits) {}

  // Judges a field, and adds it to the request unless nobody may see it. Both texts lie
  // behind `base`; the value is clean and trimmed. In place, since it is most of what a
  // head costs.
  [[nodiscard]] Rejection take(Request& request, const char* base,
                               std::string_view name, std::string_view value) noexcept {
    return take(request, base, name, value, header_id(name));
  }
  // Likewise, where header_id() of the name is known.
  [[nodiscard]] Rejection take(Request& request, const char* base,
                               std::string_view name, std::string_view value,
                               HeaderId id) noexcept {
    if (!is_name(id, name)) return Rejection::BadHeaderName;
    if (!budget_.take(*limits_, name, value)) return Rejection::HeadTooLarge;
    if (has_trait(id, Trait::Single, Trait::Read, Trait::Hidden, Trait::Ambiguous))
      return read(request, base, name, value, id);
    put(request, base, name, value, id);
    return Rejection::None;
  }
  // No field follows: what they say together, which frames the body.
  [[nodiscard]] Rejection finish(Request& request) noexcept;
  // None came yet.
  [[nodiscard]] bool untouched() const noexcept { return budget_.untouched(); }
  void reset() noexcept {
    budget_ = {};
    seen_ = 0;
  }

 private:
  static void put(Request& request, const char* base, std::string_view name,
                  std::string_view value, HeaderId id) noexcept {
    request.fields.push_back({static_cast<std::uint32_t>(name.data() - base),
                              static_cast<std::uint32_t>(value.data() - base),
                              static_cast<std::uint32_t>(value.size()),
                              static_cast<std::uint16_t>(name.size()), id});
  }
  [[nodiscard]] Rejection read(Request& request, const char* base,
                               std::string_view name, std::string_view value,
                               HeaderId id) noexcept;
  [[nodiscard]] Rejection judge_host(std::string_view value) noexcept;

  const Limits* limits_;
  FieldBudget budget_;
  std::string good_host_;   // the last one that was judged
  std::uint32_t seen_ = 0;  // bit set of the ids met that are single or read
};

// The fields behind a body. They are dropped: judged is only whether they may be there.
class TrailerRules {
 public:
  explicit TrailerRules(const Limits& limits) noexcept : limits_(&limits) {}
  [[nodiscard]] Rejection take(std::string_view name, std::string_view value) noexcept;

 private:
  const Limits* limits_;
  FieldBudget budget_;
};

// What the fields of an application's answer say, which the protocol has to know.
struct AnswerFields {
  std::optional<std::uint64_t> content_length;  // of the body as framed, where known
  bool has_date = false;                        // the application set its own
  bool has_server = false;
  bool has_request_id = false;  // X-Request-ID
  bool close = false;           // the application asked for Connection: close
};

// The fields of an application's answer, in their order.
class AnswerRules {
 public:
  enum class Verdict : std::uint8_t {
    Keep,
    Heard,    // the protocol says it in its own words
    Dropped,  // not the application's to say (RS03), or said before
    Bad,      // the answer breaks a rule (RS05)
  };

  // `has_trailers`: fields follow the body, and may be named (RFC 9110 6.6.2).
  explicit AnswerRules(AnswerFields& says, bool has_trailers = false) noexcept
      : says_(says), has_trailers_(has_trailers) {}
  // Of a name that field_id() knows and a value that is clean.
  [[nodiscard]] Verdict take(HeaderId id, std::string_view value) noexcept;
  // False: they contradict each other (RS05).
  [[nodiscard]] bool agree() const noexcept {
    return !has_coding_ || !says_.content_length;
  }

 private:
  AnswerFields& says_;
  const bool has_trailers_;
  bool has_coding_ = false;
};

}  // namespace celadon::http
