#include "module/colleagues.h"

#include <cstring>
#include <type_traits>

#include "metrics/balance.h"

namespace celadon::module {
namespace {

static_assert(std::is_trivially_copyable_v<server::Passage>);
static_assert(sizeof(server::Passage) <= sizeof(net::Mailbox::Note));

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
  receive();  // what comes later the master sees to
  started_ = false;
  loop_.poller().remove(seat_.commons.mailbox(seat_.slot).fd(), *this);
}

bool Colleagues::has_other() noexcept {
  return !seat_.commons.slab().summary().stopping.load(std::memory_order_relaxed) &&
         metrics::has_other(seat_.commons.slab(), seat_.slot);
}

bool Colleagues::over_share() noexcept {
  const auto other =
      metrics::least_loaded(seat_.commons.slab(), seat_.slot, loop_.now());
  if (!other) return false;
  const std::int64_t mine = metrics::load_of(seat_.cells());
  const std::int64_t theirs = metrics::load_of(seat_.commons.slot(*other));
  return mine + 1 > theirs + slack(theirs);
}

bool Colleagues::pass(int fd, const server::Passage& passage) noexcept {
  if (!has_other()) return false;
  net::Mailbox::Note note{};
  std::memcpy(note.data(), &passage, sizeof passage);
  return seat_.commons.pass(fd, note, seat_.slot, loop_.now());
}

void Colleagues::receive() noexcept {
  net::Mailbox::Note note;
  for (int i = 0; i < kBatch; ++i) {
    auto fd = seat_.commons.mailbox(seat_.slot).take(note);
    if (!fd) return;
    seat_.cells().coming.fetch_sub(1, std::memory_order_relaxed);
    server::Passage passage;
    std::memcpy(&passage, note.data(), sizeof passage);
    server_.take(fd->release(), passage);
  }
}

}  // namespace celadon::module
