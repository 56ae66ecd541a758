#include "server/slow_request.h"

#include <charconv>

#include "base/log.h"

namespace celadon::server {
namespace {

constexpr std::size_t kLongestTarget = 200;

// To the tenth of a millisecond.
void append_ms(std::string& out, Nanos nanos) {
  const Nanos tenths = (nanos + 50 * kMicrosecond) / (100 * kMicrosecond);
  out += std::to_string(tenths / 10);
  out += '.';
  out += std::to_string(tenths % 10);
}

void append_wait(std::string& out, const Account::Wait& wait) {
  out += "\n  at ";
  append_ms(out, wait.at);
  out += " ms: ";
  out += name_of(wait.kind);
  if (wait.peer[0] != '\0') {
    out += ' ';
    append_escaped(out, wait.peer_text());
  }
  out += ' ';
  append_ms(out, wait.length);
  out += " ms";
  if (wait.behind >= 100 * kMicrosecond) {
    out += ", then ready for ";
    append_ms(out, wait.behind);
    out += " ms";
  }
}

}  // namespace

std::string describe_slow(const Finished& request) {
  Exchange& x = request.exchange;
  std::string text;
  append_escaped(text, x.method());
  text += ' ';
  append_escaped(text, x.request().text(x.request().target).substr(0, kLongestTarget));
  text += ' ' + std::to_string(x.status()) + " took ";
  append_ms(text, request.duration);
  text += " ms: queued ";
  append_ms(text, request.queued);
  if (const Account* account = x.account) {
    const Nanos end = x.received_at + request.duration;
    for (std::size_t i = 0; i < kSpentKinds; ++i) {
      const auto kind = static_cast<Spent>(i);
      const Nanos spent = account->spent(kind, end);
      if (spent < 50 * kMicrosecond) continue;
      text.append(", ").append(name_of(kind)).append(" ");
      append_ms(text, spent);
    }
  }
  if (!x.route().empty()) {
    text += " route=";
    append_escaped(text, x.route());
  }
  const std::string_view id = x.identity().request_id();
  if (!id.empty()) text.append(" [request_id=").append(id).append("]");
  if (!x.account) return text;
  for (const Account::Wait& wait : x.account->list()) append_wait(text, wait);
  const std::size_t more = x.account->waits() - x.account->list().size();
  if (more > 0) text += "\n  and " + std::to_string(more) + " more waits";
  return text;
}

void append_server_timing(std::string& out, const Account& account, Nanos queued,
                          Nanos now) {
  const auto append = [&out](std::string_view name, Nanos nanos) {
    if (nanos <= 0) return;
    if (!out.empty()) out += ", ";
    char digits[32];
    const double ms = static_cast<double>(nanos) / kMillisecond;
    const auto end =
        std::to_chars(digits, digits + sizeof digits, ms, std::chars_format::fixed, 3);
    out.append(name).append(";dur=").append(digits, end.ptr);
  };
  append("queued", queued);
  for (std::size_t i = 0; i < kSpentKinds; ++i) {
    const auto kind = static_cast<Spent>(i);
    append(name_of(kind), account.spent(kind, now));
  }
}

}  // namespace celadon::server
