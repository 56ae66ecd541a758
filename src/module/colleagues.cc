#include "module/colleagues.h"

#include <unistd.h>

#include "metrics/balance.h"
#include "module/letter.h"

namespace celadon::module {
namespace {

// So many more than another one has may be chance: passing costs both something.
constexpr std::int64_t slack(std::int64_t connections) noexcept {
  return 1 + connections / 16;
}

}  // namespace

bool Colleagues::start() noexcept {
  started_ = loop_.watch(seat_.commons.mailbox(seat_.slot).fd(), loop::kRead, *this)
                 .has_value();
  return started_;
}

void Colleagues::close() noexcept {
  if (!started_) return;
  started_ = false;
  loop_.poller().remove(seat_.commons.mailbox(seat_.slot).fd(), *this);
}

bool Colleagues::has_other() noexcept {
  return !ending() && metrics::has_other(seat_.commons.slab(), seat_.slot);
}

bool Colleagues::ending() noexcept {
  const metrics::Summary& summary = seat_.commons.slab().summary();
  return summary.stopping.load(std::memory_order_relaxed);
}

bool Colleagues::over_share() noexcept {
  const auto other =
      metrics::least_loaded(seat_.commons.slab(), seat_.slot, loop_.now());
  if (!other) return false;
  const std::int64_t mine = metrics::load_of(seat_.cells());
  const std::int64_t theirs = metrics::load_of(seat_.commons.slot(*other));
  return mine + 1 > theirs + slack(theirs);
}

bool Colleagues::has_room() noexcept {
  if (!has_other()) return false;
  const auto other =
      metrics::least_loaded(seat_.commons.slab(), seat_.slot, loop_.clock().now());
  const auto most = static_cast<std::int64_t>(server_.settings().worker_connections);
  return other && metrics::load_of(seat_.commons.slot(*other)) < most;
}

// The loop may be held, and its time stand still.
bool Colleagues::pass(int fd, const server::Passage& passage) noexcept {
  if (!has_other()) return false;
  return seat_.commons.pass(fd, letter::connection_note(passage), seat_.slot,
                            loop_.clock().now());
}

void Colleagues::receive() noexcept {
  net::Mailbox::Note note;
  for (int i = 0; i < kBatch; ++i) {
    auto fd = seat_.commons.mailbox(seat_.slot).take(note);
    if (!fd) return;
    if (letter::kind_of(note) == letter::Kind::Connection) {
      seat_.cells().coming.fetch_sub(1, std::memory_order_relaxed);
      server_.take(fd->release(), letter::passage_of(note));
    } else if (letter::is_for(note, ::getpid())) {
      obey(fd->release(), note);
    }
  }
}

void Colleagues::obey(int fd, const net::Mailbox::Note& note) noexcept {
  if (letter::kind_of(note) == letter::Kind::Report) return reporter_.report_to(fd);
  reporter_.profile_to(fd, letter::profile_of(note));
}

}  // namespace celadon::module
