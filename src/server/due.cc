#include "server/due.h"

#include <algorithm>

namespace celadon::server {
namespace {

constexpr Nanos after(Nanos mark, Nanos limit) noexcept {
  return limit == kNever ? kNever : mark + limit;
}

constexpr Due sooner(Due a, Due b) noexcept {
  return b.when < a.when ? b : a;
}

// Where nothing of a request is there a server that ends waits for a moment only.
Due before_closing(const Situation& s, const Marks& marks, Due due) noexcept {
  if (s.closing_since == kNever || s.has_input) return due;
  return sooner(due,
                {std::max(marks.since, s.closing_since) + kDrainTime, Why::Closing});
}

Due of_input(const Situation& s, const Marks& marks, const Settings& set) noexcept {
  const bool ends = s.state.input == Input::Ended;
  switch (s.state.stage) {
    case Stage::Preface:
      if (ends) return {};  // by itself
      return before_closing(s, marks,
                            {after(marks.since, set.header_timeout), Why::Preface});
    case Stage::Handshake:
      if (ends) return {};
      return before_closing(
          s, marks, {after(marks.since, set.tls_handshake_timeout), Why::Handshake});
    case Stage::Head:
      if (ends) return {};
      return {after(marks.since, set.header_timeout), Why::Head};
    case Stage::Offered:
    case Stage::Lent:
    case Stage::Whole: return {};
    case Stage::Active:
      if (!s.waits_for_body) return {};
      // Behind what is queued it may not have been told to send yet.
      if (s.state.output == Output::Blocked) return {marks.until, Why::Body};
      return {std::min(after(marks.since, set.body_timeout), marks.until), Why::Body};
    case Stage::Answered:
      if (!s.waits_for_body) return {};
      return {marks.since + kDrainTime, Why::Rest};
    case Stage::None: break;
  }
  if (s.state.output != Output::Idle) return {};  // what is queued goes first
  if (s.has_input) return {marks.since + kTurn, Why::More};
  if (ends) return {};
  const Due idle =
      s.fresh
          ? Due{after(marks.since, set.header_timeout), Why::FirstHead}
          : Due{after(std::max(marks.since, marks.taken), set.keepalive), Why::Idle};
  return before_closing(s, marks, idle);
}

}  // namespace

Due due(const Situation& s, const Marks& marks, const Settings& set) noexcept {
  if (s.state.over()) return {};
  if (s.state.output == Output::Ended) {
    const Due end{std::min(after(marks.since, set.linger_timeout), marks.until),
                  Why::Linger};
    if (!s.makes_room) return end;
    return sooner(end, {marks.asked + kDeliveryPeriod, Why::Delivery});
  }
  // Not while its request is with the application still: its release comes back to
  // that.
  if (s.resets && s.state.output == Output::Idle && s.state.stage == Stage::None) {
    return {marks.since + kDeliveryPeriod, Why::Delivery};
  }
  Due next = s.state.discards() ? Due{} : of_input(s, marks, set);
  if (s.state.output == Output::Blocked) {
    next = sooner(next, {after(marks.blocked, set.write_timeout), Why::Write});
  }
  return next;
}

std::uint64_t least_in(Nanos timeout, std::uint64_t rate) noexcept {
  const auto milliseconds = static_cast<std::uint64_t>(timeout / kMillisecond);
  return std::max<std::uint64_t>(1, rate * milliseconds / 1000);
}

}  // namespace celadon::server
