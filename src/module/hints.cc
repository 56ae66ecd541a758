#include "module/hints.h"

#include <algorithm>
#include <cmath>

namespace celadon::module {
namespace {

constexpr Nanos kWorthAWord = 5 * kMillisecond;  // of one request
constexpr double kMost = 0.6;                    // of the time of requests
constexpr double kIdle = 0.5;                    // of the loop's time

std::string percent(double share) {
  return std::to_string(std::lround(100 * share)) + " %";
}

std::string milliseconds(Nanos nanos) {
  return std::to_string((nanos + kMillisecond / 2) / kMillisecond) + " ms";
}

}  // namespace

Hints::Hints(LogSink& log, loop::Loop& loop, std::size_t limit) noexcept
    : log_(log), loop_(loop), limit_(limit) {
  begin(loop.now());
}

void Hints::begin(Nanos now) noexcept {
  begun_ = now;
  work_ = loop_.counters().work;
  requests_ = 0;
  durations_ = held_up_ = 0;
  peers_.clear();
}

void Hints::add(const server::Finished& request) noexcept {
  if (queue_said_ && peer_said_) return;
  ++requests_;
  durations_ += request.duration;
  held_up_ += request.held_up;
  if (const Account* account = request.exchange.account) add_waits(*account);
  const Nanos now = loop_.now();
  if (requests_ >= kRequests && now - begun_ >= kSpan) judge(now);
}

void Hints::add_waits(const Account& account) noexcept {
  for (const Account::Wait& wait : account.list()) {
    if (wait.peer[0] == '\0') continue;
    auto found = peers_.find(wait.peer_text());
    if (found == peers_.end()) {
      if (peers_.size() >= kPeers) continue;
      found = peers_.emplace(wait.peer_text(), Peer{wait.kind, 0, 0}).first;
    }
    Peer& peer = found->second;
    peer.waited += wait.length;
    if (wait.length > peer.longest) {
      peer.longest = wait.length;
      peer.kind = wait.kind;
    }
  }
}

void Hints::judge(Nanos now) noexcept {
  const auto work = static_cast<double>(loop_.counters().work - work_);
  const double idle = 1 - work / static_cast<double>(now - begun_);
  if (!queue_said_) judge_queue(idle);
  if (!peer_said_) judge_peers();
  begin(now);
}

// They could be with the application, which has time.
void Hints::judge_queue(double idle) noexcept {
  const Nanos mean = held_up_ / requests_;
  if (mean < kWorthAWord || idle < kIdle || held_up_ < durations_ / 4) return;
  queue_said_ = true;
  log_.log(Level::Warning,
           "hint: requests waited " + milliseconds(mean) +
               " for their turn while the loop had nothing to do for " + percent(idle) +
               " of the time: raise max_concurrent_requests (now " +
               std::to_string(limit_) + "), or find what they wait for");
}

void Hints::judge_peers() noexcept {
  const auto worst = std::ranges::max_element(
      peers_, {}, [](const auto& each) { return each.second.waited; });
  if (worst == peers_.end() || durations_ == 0) return;
  const Nanos waited = worst->second.waited;
  const double share = static_cast<double>(waited) / static_cast<double>(durations_);
  if (share < kMost || waited / requests_ < kWorthAWord) return;
  peer_said_ = true;
  log_.log(Level::Warning, "hint: requests spent " + percent(share) +
                               " of their time waiting for " +
                               escape_for_log(worst->first) + " (" +
                               std::string(name_of(worst->second.kind)) + "), " +
                               milliseconds(waited / requests_) +
                               " each: it is that which makes them slow");
}

}  // namespace celadon::module
