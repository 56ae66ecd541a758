#include "sim/app.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "sim/job.h"
#include "sim/memory.h"
#include "sim/socket.h"
#include "ws/handshake.h"

namespace celadon::sim {

using memory::Inside;
using memory::Outside;
using server::Exchange;

SimApp::SimApp(Kernel& kernel, Clock& clock, AppHost& host, std::size_t body_buffer)
    : kernel_(kernel), clock_(clock), host_(host), body_buffer_(body_buffer) {}

SimApp::~SimApp() = default;

// --- WebSockets ---

void SimApp::serve_sockets(loop::Loop& loop, const Rules& rules, LogSink& log) {
  sockets_ = std::make_unique<Sockets>(loop, rules, log);
}

bool SimApp::sockets_are_gone() const noexcept {
  return sockets_->are_gone();
}

void SimApp::abandon() noexcept {
  for (auto& job : jobs_) job->abandon();
  sockets_.reset();
}

// What a bridge does ahead of its application (WS01, WS02).
bool SimApp::refuses_handshake(Exchange& exchange, Record& record) {
  if (!ws::is_handshake(exchange.request())) return false;
  const bool closing = host_.closes_now(record);
  const bool body_open = exchange.body_state() != server::BodyState::Complete;
  bool refused = false;
  {
    const Inside inside;
    exchange.started_at = clock_.now();
    refused = gateway::refuse_handshake(exchange, sockets_->options(), net::Leave::Now);
  }
  const Refused wanted = refusal_of(*record.plan);
  if (refused != (wanted.status != 0)) {
    host_.fault("handshake", refused ? "a handshake is refused that is good"
                                     : "a bad handshake is not refused");
  }
  if (!refused) return false;
  record.is_handshake = record.refused = record.released = true;
  record.status = wanted.status;
  record.closing = closing || wanted.closes;
  record.body_open = body_open;
  record.gone = exchange.gone();
  record.ended_at = record.released_at = clock_.now();
  host_.on_release(record);
  const Inside inside;
  exchange.release();
  return true;
}

void SimApp::begin_turn() {
  std::ranges::fill(turn_calls_, 0U);
}

void SimApp::count_call(std::size_t client) {
  constexpr unsigned kDeepest = 8;
  constexpr unsigned kMostPerTurn = 128;
  if (depth_ > kDeepest) {
    host_.fault("recursion", "requests are begun within the calls of others, " +
                                 std::to_string(depth_) + " deep");
  }
  if (client >= turn_calls_.size()) turn_calls_.resize(client + 1);
  if (++turn_calls_[client] == kMostPerTurn) {
    host_.fault("turn", "one connection begins " + std::to_string(kMostPerTurn) +
                            " requests in one turn");
  }
}

Record* SimApp::begin(Exchange& exchange, bool front) {
  const std::string_view path = exchange.request().path_text();
  std::size_t client = 0;
  std::size_t request = 0;
  const Request* plan = nullptr;
  if (path.size() > 3) {
    const char* end = path.data() + path.size();
    const auto [at, error] = std::from_chars(path.data() + 3, end, client);
    if (error == std::errc{} && at < end) {
      std::from_chars(at + 1, end, request);
      plan = host_.plan_of(client, request);
    }
  }
  if (!plan) {
    host_.fault("smuggled", "a request that nobody sent: " + std::string(path));
    return nullptr;
  }
  if (front && plan->front == 0) return nullptr;
  auto& record = *records_.emplace_back(std::make_unique<Record>());
  record.client = client;
  record.request = request;
  record.plan = plan;
  record.front = front;
  record.seen_at = clock_.now();
  host_.on_record(record);
  count_call(client);
  return &record;
}

void SimApp::on_request(Exchange& exchange) noexcept {
  const Outside outside;
  ++depth_;
  if (Record* record = begin(exchange, false)) {
    if (!refuses_handshake(exchange, *record)) start(exchange, *record);
  } else {
    const Inside inside;
    exchange.refuse(http::Rejection::AppFailed);
    exchange.release();
  }
  --depth_;
}

// The vector may grow while the job runs.
void SimApp::start(Exchange& exchange, Record& record) {
  Job& job = *jobs_.emplace_back(std::make_unique<Job>(*this, exchange, record));
  if (ws::is_handshake(exchange.request()) && exchange.may_switch())
    job.offer(sockets_->share());
  if (record.plan->inline_ != 0) job.run(true);
}

bool SimApp::take(Exchange& exchange) noexcept {
  const Outside outside;
  ++depth_;
  Record* record = begin(exchange, true);
  if (record) {
    const Request& plan = *record->plan;
    Job job(*this, exchange, *record);
    for (const Op& op : plan.ops) {
      if (op.kind() == Act::Whole) {
        job.run(true);
        break;
      }
    }
    CHECK(job.done(), "the front answers at once");
  }
  --depth_;
  return record != nullptr;
}

void SimApp::on_cancel(Exchange& exchange) noexcept {
  const Outside outside;
  for (auto& job : jobs_) {
    if (job->exchange() == &exchange) job->cancel();
  }
}

void SimApp::collect() {
  std::erase_if(jobs_, [](const auto& job) { return job->done(); });
}

std::size_t SimApp::runnable() {
  collect();
  ready_.clear();
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (jobs_[i]->can_run()) ready_.push_back(i);
  }
  return ready_.size();
}

const Record* SimApp::waits_in_vain() const {
  const auto found = std::ranges::find_if(
      jobs_, [](const auto& job) { return !job->done() && job->waits_in_vain(); });
  return found == jobs_.end() ? nullptr : &(*found)->record();
}

void SimApp::run_one(std::size_t index) {
  jobs_[ready_[index]]->run(false);
}

}  // namespace celadon::sim
