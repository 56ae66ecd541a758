#include "module/stack_round.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "admin/json.h"
#include "module/letter.h"

namespace celadon::module {
namespace {

constexpr Nanos kLongest = 10 * kSecond;  // for those that write and write
constexpr int kPipeSize = 1 << 20;

}  // namespace

// What one worker writes.
class StackRound::Reader final : private loop::IoHandler {
 public:
  Reader(StackRound& round, std::size_t slot, pid_t pid) noexcept
      : round_(round), slot_(slot), pid_(pid) {}
  ~Reader() override { leave(); }

  // False: the worker cannot be asked.
  [[nodiscard]] bool ask(master::Commons& commons) noexcept {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return false;
    in_ = net::OwnedFd(ends[0]);
    const net::OwnedFd out(ends[1]);
    ::fcntl(out.get(), F_SETPIPE_SZ, kPipeSize);
    watched_ = round_.loop_.watch(in_.get(), loop::kRead, *this).has_value();
    return watched_ && commons.mailbox(slot_).put(
                           out.get(), letter::addressed_to(round_.note_, pid_));
  }
  void leave() noexcept {
    if (watched_) round_.loop_.poller().remove(in_.get(), *this);
    watched_ = false;
    in_.close();
  }
  void append(admin::Json& json) const {
    json.open('{').key("worker").value(slot_).key("pid").value(pid_);
    // Of one that died meanwhile the last byte is missing.
    const bool answered = ended_ && text_.ends_with('\n');
    json.key("answered").value(answered).key(round_.name_);
    answered ? json.raw(std::string_view(text_).substr(0, text_.size() - 1))
             : json.raw("null");
    json.close('}');
  }

 private:
  void on_io(std::uint8_t) noexcept override {
    char part[65536];
    const ssize_t n = ::read(in_.get(), part, sizeof part);
    if (n > 0) {
      text_.append(part, static_cast<std::size_t>(n));
      round_.on_part();
      return;
    }
    if (n < 0) return;
    ended_ = true;
    leave();
    round_.on_reader_done();
  }

  StackRound& round_;
  const std::size_t slot_;
  const pid_t pid_;
  net::OwnedFd in_;
  std::string text_;
  bool watched_ = false;
  bool ended_ = false;
};

StackRound::StackRound(loop::Loop& loop, master::Commons& commons,
                       const net::Mailbox::Note& note, std::string name, Nanos patience,
                       Done done) noexcept
    : loop_(loop),
      commons_(commons),
      note_(note),
      name_(std::move(name)),
      patience_(patience),
      done_(std::move(done)) {}

StackRound::~StackRound() = default;

void StackRound::start() noexcept {
  const auto slots = commons_.slab().slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto state = slots[i].state.load();
    if (state != metrics::SlotState::Ready && state != metrics::SlotState::Draining)
      continue;
    auto reader = std::make_unique<Reader>(*this, i, slots[i].pid.load());
    if (reader->ask(commons_)) ++reading_;
    readers_.push_back(std::move(reader));
  }
  if (reading_ == 0) return finish();
  began_ = loop_.now();
  loop_.arm(*this, loop_.now() + patience_);
}

void StackRound::on_part() noexcept {
  const Nanos due = loop_.now() + patience_;
  if (reading_ > 0) loop_.arm(*this, std::min(due, began_ + patience_ + kLongest));
}

void StackRound::on_reader_done() noexcept {
  if (--reading_ == 0) finish();
}

void StackRound::finish() noexcept {
  if (std::exchange(finished_, true)) return;
  Timer::cancel();
  admin::Json json;
  json.open('{').key("ok").value(true).key("workers").open('[');
  for (const auto& reader : readers_) {
    reader->leave();
    reader->append(json);
  }
  json.close(']').close('}');
  done_(json.take());
}

}  // namespace celadon::module
