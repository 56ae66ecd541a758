#include "sim/world.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "loop/loop.h"
#include "server/server.h"
#include "sim/memory.h"
#include "sim/poller.h"

namespace celadon::sim {
namespace {

using memory::Inside;
using memory::Outside;

// Of the stack, for one turn of the server's. Sanitizers need several times as much.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kDeepest = 64 * 1024;
#else
constexpr std::size_t kDeepest = 10 * 1024;
#endif

struct NoLog final : LogSink {
  void log(Level, std::string_view) noexcept override {}
};

// Expands copies, and makes requests for the front what it can answer.
std::vector<Client> expand(const std::vector<Client>& clients) {
  std::vector<Client> all;
  for (const Client& client : clients) {
    for (Number i = 0; i < std::max<Number>(client.copies, 1); ++i) {
      all.push_back(client);
    }
  }
  for (Client& client : all) {
    for (Request& request : client.requests) {
      if (request.front == 0) continue;
      Op whole{static_cast<Number>(Act::Whole), 0};
      for (const Op& op : request.ops) {
        if (op.kind() == Act::Whole) whole.n = op.n;
      }
      request.ops = {whole};
      request.tunnel = -1;
      request.ws = upgrade::None;
    }
    // Behind a tunnel there is no other request.
    const auto tunnel = std::ranges::find_if(client.requests, &Request::may_tunnel);
    if (tunnel != client.requests.end()) {
      client.requests.erase(tunnel + 1, client.requests.end());
    }
  }
  return all;
}

Nanos limit(Number n) {
  return n == 0 ? kNever : n * kMillisecond;
}

server::Settings settings_of(const Scenario& s) {
  const Rules& r = s.rules;
  server::Settings made;
  made.header_timeout = limit(r.header_timeout);
  made.body_timeout = limit(r.body_timeout);
  made.keepalive = limit(r.keepalive);
  made.write_timeout = limit(r.write_timeout);
  made.linger_timeout = limit(r.linger_timeout);
  made.body_total_timeout = limit(r.body_total);
  made.linger_total_timeout = limit(r.linger_total);
  made.queue_timeout = limit(r.queue_timeout);
  made.body_min_rate = static_cast<std::uint64_t>(r.body_min_rate);
  made.write_min_rate = static_cast<std::uint64_t>(r.write_min_rate);
  made.body_buffer = static_cast<std::size_t>(r.body_buffer);
  made.response_buffer = static_cast<std::size_t>(r.response_buffer);
  made.linger_bytes = static_cast<std::size_t>(r.linger_bytes);
  made.worker_connections = static_cast<std::size_t>(r.worker_connections);
  made.max_concurrent_requests = static_cast<std::size_t>(r.max_concurrent);
  made.queue_depth = static_cast<std::size_t>(r.queue_depth);
  made.request_buffering = r.buffering != 0;
  if (r.cancels != 0) made.cancel_on_disconnect = {"GET"};
  made.request_id_header = "";
  made.server_header = "";
  made.trace_context = false;
  if (r.proxy != 0) {
    made.proxy_protocol = net::ProxyMode::Auto;
    made.proxy_allow = *net::Networks::parse("*");
  }
  return made;
}

class World final : public KernelEvents, public AppHost, public server::Peers {
 public:
  World(const Scenario& scenario, bool with_trace);
  ~World() override;

  Outcome run();

  // KernelEvents
  void on_accepted(Link& link) override {
    oracle_.on_accepted(link);
    note("accepts client " + std::to_string(link.client));
  }
  void on_server_wrote(Link& link, std::string_view bytes) override {
    oracle_.on_server_wrote(link, bytes);
    if (with_trace_) {
      note("writes " + std::to_string(bytes.size()) + " bytes to client " +
           std::to_string(link.client));
    }
  }
  void on_server_read(Link& link) override;
  void on_server_shut(Link& link) override { note_eviction(link); }
  void on_server_close(Link& link) override;
  void note_eviction(Link& link);
  // AppHost
  const Request* plan_of(std::size_t client, std::size_t request) override {
    if (client >= plans_.size()) return nullptr;
    const auto& requests = plans_[client].requests;
    return request < requests.size() ? &requests[request] : nullptr;
  }
  void on_record(Record& record) override;
  void on_gone(Record& record) override {
    oracle_.on_gone(record);
    saw("gone");
  }
  void on_release(Record& record) override { oracle_.on_release(record); }
  void on_body_failed(Record& record, int status) override {
    oracle_.on_body_failed(record, status);
    saw(status == 408 ? "slow body" : "broken body");
  }
  void on_message(Record& record, bool is_text, std::string_view data) override {
    oracle_.on_message(record, is_text, data);
    saw("message");
  }
  void on_socket_end(Record& record, int code) override {
    oracle_.on_socket_end(record, code);
    saw(code == 1006 ? "lost WebSocket" : "end of a WebSocket");
  }
  std::uint64_t tunnel_bytes(const Record& record) override {
    return oracle_.tunnel_bytes(record);
  }
  bool closes_now(Record& record) override {
    record.alone = oracle_.is_alone(record);
    record.too_much = oracle_.leaves_too_much(record);
    return oracle_.drained() && oracle_.alone() &&
           !oracle_.of(record.client).taken_over;
  }
  void hold_until(Nanos at) override {
    held_until_ = std::max(held_until_, at);
    loop_->custody().leave(clock_.now());
    holding_ = true;
    saw("held loop");
  }
  void wake_at(Nanos at) override { wakes_.push_back(at); }
  void spend(Nanos time) override {
    clock_.advance(time);
    dirty_ = true;
  }
  void fault(std::string_view kind, const std::string& text) override {
    oracle_.fault(kind, text);
  }
  void trace(const std::string& line) override { note(line); }
  [[nodiscard]] bool traces() const override { return with_trace_; }
  // server::Peers
  bool ending() noexcept override { return false; }
  bool has_other() noexcept override { return !oracle_.alone(); }
  bool over_share() noexcept override {
    return !oracle_.alone() &&
           choices_.percent(static_cast<unsigned>(scenario_.plan.over_share));
  }
  bool has_room() noexcept override {
    // Or the loop comes back in the middle of it.
    return !oracle_.alone() && !choices_.percent(10);
  }
  bool pass(int fd, const server::Passage& passage) noexcept override;

 private:
  // Who may move next.
  struct Candidates {
    std::size_t jobs = 0;
    std::vector<Link*> links;
    std::vector<std::pair<std::size_t, SimClient::Move>> moves;
    bool passed = false;
    bool loop = false;
    bool relief = false;
    [[nodiscard]] bool none() const noexcept {
      return jobs == 0 && links.empty() && moves.empty() && !passed && !loop && !relief;
    }
  };
  enum class Who : std::uint8_t { Loop, Job, Wire, Client, Colleague, Relief };
  void start();
  bool step();
  [[nodiscard]] Who choose();
  void gather();
  void turn(Nanos max_wait);
  void move_client(std::size_t client, SimClient::Move move);
  void take_passed();
  void relieve();
  [[nodiscard]] Nanos next_time();
  bool let_time_pass();
  void advance_to(Nanos at);
  void run_plan();
  bool end_what_never_ends();
  void check_after_loop();
  void check_idle_memory();
  void check_socket_memory();
  [[nodiscard]] bool waits_for_messages(const Link& link);
  [[nodiscard]] std::size_t held_by_socket() const;
  void judge();
  void judge_counters(const server::Server& server, const char* name);
  void note(const std::string& line);
  void saw(const char* what);
  [[nodiscard]] bool held() noexcept { return clock_.now() < held_until_; }
  [[nodiscard]] std::size_t open_links() const;

  const Scenario& scenario_;
  const std::vector<Client> plans_;
  const bool with_trace_;
  ManualClock clock_;
  const Nanos epoch_ = clock_.now();
  Choices choices_;
  Kernel kernel_{scenario_.moods, choices_, clock_, *this};
  Oracle oracle_{scenario_, clock_};
  SimApp app_{kernel_, clock_, *this,
              static_cast<std::size_t>(scenario_.rules.body_buffer)};
  NoLog log_;
  SimPoller* poller_ = nullptr;
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<server::Server> colleague_;
  int tcp_ = -1;
  int unix_ = -1;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::pair<int, server::Passage>> passed_;
  std::vector<Nanos> wakes_;
  Nanos held_until_ = 0;
  bool holding_ = false;
  Nanos relieved_at_ = 0;
  Nanos polled_at_ = 0;
  Candidates candidates_;
  std::vector<SimClient::Move> moves_;
  bool dirty_ = true;  // something happened that the loop has not settled
  bool drained_ = false;
  bool cancelled_ = false;
  bool closed_ = false;
  bool ended_ = false;        // what never ends was cancelled
  std::size_t closings_ = 0;  // and then closed
  std::uint64_t evicted_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_of_moment_ = 0;
  std::uint64_t wakes_in_vain_ = 0;
  std::size_t memory_before_ = memory::live();
  std::size_t memory_base_ = 0;
  std::size_t largest_piece_ = 0;
  std::size_t largest_message_ = 0;  // or fragment of one
  Outcome outcome_;
};

World::World(const Scenario& scenario, bool with_trace)
    : scenario_(scenario),
      plans_(expand(scenario.clients)),
      with_trace_(with_trace),
      choices_(static_cast<std::uint64_t>(scenario.schedule)) {
  for (const Client& client : plans_) {
    for (const Request& request : client.requests) {
      for (const Op& op : request.ops) {
        largest_piece_ = std::max(largest_piece_, static_cast<std::size_t>(op.n));
      }
      for (const Op& op : request.says) {
        largest_message_ = std::max(largest_message_, static_cast<std::size_t>(op.n));
      }
    }
  }
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    clients_.push_back(
        std::make_unique<SimClient>(plans_[i], i, scenario.rules, epoch_));
    oracle_.add(*clients_.back());
  }
}

World::~World() = default;

void World::note(const std::string& line) {
  if (!with_trace_) return;
  const Outside outside;
  const Nanos at = clock_.now() - epoch_;
  std::string text = std::to_string(at / kMillisecond) + " ms  " + line;
  if (!outcome_.trace.empty() && outcome_.trace.back().starts_with(text)) {
    outcome_.trace.back() = std::move(text) + ", and again";
  } else {
    outcome_.trace.push_back(std::move(text));
  }
}

void World::saw(const char* what) {
  const Outside outside;
  if (std::ranges::find(outcome_.seen, what) == outcome_.seen.end()) {
    outcome_.seen.emplace_back(what);
  }
}

void World::start() {
  tcp_ = kernel_.listen(false, scenario_.rules.inherited == 0);
  unix_ = kernel_.listen(true, true);
  const Inside inside;
  auto poller = std::make_unique<SimPoller>(kernel_, choices_, scenario_.moods);
  poller_ = poller.get();
  loop_ = std::make_unique<loop::Loop>(std::move(poller), clock_);
  server_ =
      std::make_unique<server::Server>(*loop_, app_, settings_of(scenario_), log_);
  server_->set_front(&app_);
  app_.serve_sockets(*loop_, scenario_.rules, log_);
  for (const int fd : {tcp_, unix_}) {
    net::BindTarget target;
    target.kind = net::BindTarget::Kind::Fd;
    target.fd = fd;
    auto socket = net::ListenSocket::open(target, {});
    if (!socket || !server_->add_listener(std::move(*socket))) {
      oracle_.fault("start", "the listener cannot be added");
    }
  }
  if (scenario_.plan.colleague != 0) {
    colleague_ =
        std::make_unique<server::Server>(*loop_, app_, settings_of(scenario_), log_);
    colleague_->set_front(&app_);
    server_->set_peers(this);
  }
  memory_base_ = memory::live();
}

bool World::pass(int fd, const server::Passage& passage) noexcept {
  const Outside outside;
  if (oracle_.alone() ||
      choices_.percent(static_cast<unsigned>(scenario_.plan.colleague_full))) {
    return false;
  }
  passed_.emplace_back(kernel_.duplicate(fd), passage);
  note("passes a connection on");
  saw("passed on");
  return true;
}

void World::take_passed() {
  const auto [fd, passage] = passed_.front();
  passed_.erase(passed_.begin());
  note("the colleague takes a connection");
  oracle_.on_taken_over(kernel_.client_of(fd));
  const Inside inside;
  colleague_->take(fd, passage);
  if (closed_) colleague_->close_all();
}

// What a thread of the worker does while its loop is held.
void World::relieve() {
  relieved_at_ = clock_.now();
  note("a thread relieves the loop");
  const Inside inside;
  server_->send_held_back();
  if (server_->hand_over() > 0) saw("relief");
}

void World::on_record(Record& record) {
  oracle_.on_record(record);
  if (record.request > 0) saw("second request");
  if (record.front) saw("front");
  if (with_trace_) {
    note("hands over request " + std::to_string(record.client) + "." +
         std::to_string(record.request));
  }
}

// A turn belongs to all: no connection is read for as long as its peer sends.
void World::on_server_read(Link& link) {
  constexpr std::size_t kByEvent = 2 * server::Server::kScratch;  // one may be evicted
  constexpr std::size_t kOvershoot = server::Server::kScratch;
  const Outside outside;
  oracle_.on_server_read(link);
  const std::uint64_t in_turn = link.up.taken - link.up.taken_before;
  if (in_turn > server::Server::kReadPerTurn + kByEvent + kOvershoot) {
    oracle_.fault("turn", "client " + std::to_string(link.client) + " is read for " +
                              std::to_string(in_turn) + " bytes in one turn");
  }
  SimClient& client = *clients_[link.client];
  if (client.plan().fast == 0) return;
  saw("fast client");
  moves_.clear();
  client.moves(clock_.now(), moves_);
  if (std::ranges::find(moves_, SimClient::Move::Write) != moves_.end()) {
    move_client(link.client, SimClient::Move::Write);
  }
  kernel_.hurry(link);
}

void World::note_eviction(Link& link) {
  std::uint64_t evicted = server_ ? server_->counters().evicted : 0;
  if (colleague_) evicted += colleague_->counters().evicted;
  if (std::exchange(evicted_, evicted) == evicted) return;
  saw("evicted");
  link.evicted = true;
  oracle_.on_evicted(link);
}

void World::on_server_close(Link& link) {
  note_eviction(link);
  if (with_trace_) {
    note("closes client " + std::to_string(link.client) +
         (link.linger_zero          ? " by a reset"
          : link.up.arrived.empty() ? ""
                                    : " with bytes unread"));
  }
  oracle_.on_server_close(link);
}

// --- steps ---

void World::gather() {
  Candidates& c = candidates_;
  // Timers and events wake jobs by a turn of the loop; who has held it just goes on.
  const bool woken = holding_ || polled_at_ == clock_.now();
  c.jobs = held() || !woken ? 0 : app_.runnable();
  c.links.clear();
  for (const auto& link : kernel_.links()) {
    if (Kernel::can_move(*link)) c.links.push_back(link.get());
  }
  c.moves.clear();
  for (const auto& client : clients_) {
    moves_.clear();
    client->moves(clock_.now(), moves_);
    for (const SimClient::Move move : moves_) {
      c.moves.emplace_back(client->number(), move);
    }
  }
  c.passed = !passed_.empty();
  c.relief = held() && colleague_ && relieved_at_ != clock_.now();
  c.loop = !held() && !(holding_ && c.jobs > 0) &&
           (!woken || dirty_ || poller_->has_events());
}

// One of those who can, each kind with its weight.
World::Who World::choose() {
  const Candidates& c = candidates_;
  while (true) {
    if (c.relief && choices_.percent(20)) return Who::Relief;
    const std::size_t dice = choices_.below(12);
    if (dice < 3 && c.loop) return Who::Loop;
    if (dice >= 3 && dice < 6 && c.jobs > 0) return Who::Job;
    if (dice >= 6 && dice < 9 && !c.links.empty()) return Who::Wire;
    if ((dice == 9 || dice == 10) && !c.moves.empty()) return Who::Client;
    if (dice == 11 && c.passed) return Who::Colleague;
  }
}

bool World::step() {
  constexpr std::uint64_t kMostAtOnce = 200'000;
  gather();
  ++steps_;
  if (++steps_of_moment_ > kMostAtOnce) {
    fault("endless", "it goes on and on while no time passes");
    return false;
  }
  const Candidates& c = candidates_;
  if (c.none()) return let_time_pass();
  if (choices_.percent(static_cast<unsigned>(scenario_.moods.creep))) {
    // No further: a loop that has something to do is not starved but by views.
    advance_to(clock_.now() + kMillisecond);
    return true;
  }
  const Who who = choose();
  if (who != Who::Loop) wakes_in_vain_ = 0;
  switch (who) {
    case Who::Loop: turn(0); break;
    case Who::Job:
      holding_ = false;  // who has held the loop goes on ahead of it
      dirty_ = true;     // and the loop's own time stands still, as while views run
      app_.run_one(choices_.below(c.jobs));
      break;
    case Who::Wire: kernel_.move(*c.links[choices_.below(c.links.size())]); break;
    case Who::Client: {
      const auto& [client, move] = c.moves[choices_.below(c.moves.size())];
      move_client(client, move);
      break;
    }
    case Who::Colleague: take_passed(); break;
    case Who::Relief: relieve(); break;
  }
  check_after_loop();
  return !oracle_.verdict().bad();
}

void World::turn(Nanos max_wait) {
  dirty_ = holding_ = false;
  polled_at_ = clock_.now();
  app_.begin_turn();
  loop_->custody().enter();
  for (const auto& link : kernel_.links()) link->up.taken_before = link->up.taken;
  kernel_.set_base(__builtin_frame_address(0));
  {
    const Inside inside;
    loop_->settle();
    loop_->turn(max_wait);
  }
  if (kernel_.deepest() <= kDeepest) return;
  fault("recursion", "calls of the server's lie in each other, " +
                         std::to_string(kernel_.deepest()) + " bytes deep");
}

void World::move_client(std::size_t number, SimClient::Move move) {
  SimClient& client = *clients_[number];
  const int listener = client.plan().unix_socket != 0 ? unix_ : tcp_;
  client.make(move, kernel_, listener, choices_, clock_.now());
  if (client.saw_reset()) saw("client sees a reset");
  if (!with_trace_) return;
  static constexpr const char* kMoves[] = {"", "connects", "writes ", "reads ", "ends"};
  std::string line =
      "client " + std::to_string(number) + " " + kMoves[static_cast<std::size_t>(move)];
  if (move == SimClient::Move::Write || move == SimClient::Move::Read) {
    line += std::to_string(client.moved());
  }
  if (move == SimClient::Move::Read && client.saw_reset()) line += ": a reset";
  if (move == SimClient::Move::Read && client.saw_end()) line += ": the end";
  if (move == SimClient::Move::End) {
    line += client.shut() && !client.closed() ? " its half" : "";
  }
  note(line);
}

// --- time ---

Nanos World::next_time() {
  const Nanos now = clock_.now();
  Nanos next = kNever;
  const auto consider = [&next, now](Nanos at) {
    if (at > now) next = std::min(next, at);
  };
  for (const auto& client : clients_) consider(client->next_time(now));
  for (const Nanos at : wakes_) consider(at);
  if (held()) consider(held_until_);
  const Plan& plan = scenario_.plan;
  if (plan.alone_at >= 0) consider(epoch_ + plan.alone_at * kMillisecond);
  if (plan.drain_at >= 0) {
    const Nanos drain = epoch_ + plan.drain_at * kMillisecond;
    const Nanos grace = drain + plan.grace * kMillisecond;
    consider(drain);
    if (drained_ && open_links() > 0) {
      consider(grace);
      consider(grace + kSecond);
    }
  }
  return next;
}

void World::advance_to(Nanos at) {
  clock_.advance(at - clock_.now());
  steps_of_moment_ = 0;
  dirty_ = true;
  std::erase_if(wakes_, [at](Nanos each) { return each <= at; });
  if (!held()) run_plan();
}

// Nothing can move any more at this moment.
bool World::let_time_pass() {
  // It asks every 10 ms whether a peer has all, for as long as its last patience.
  constexpr std::uint64_t kMostInVain = 20'000;
  Nanos next = next_time();
  if (!held() && ++wakes_in_vain_ > kMostInVain) {
    fault("spins", "the loop wakes again and again, and nothing comes of it");
    return false;
  }
  if (!held()) {
    check_idle_memory();
    check_socket_memory();
    if (oracle_.verdict().bad()) return false;
    turn(kNever);
    const Nanos wait = poller_->would_wait();
    if (dirty_ || poller_->has_events() || wait == 0) {
      dirty_ = true;
      if (wait == 0) advance_to(clock_.now() + 1);  // the wheel is at a border
      return !oracle_.verdict().bad();
    }
    gather();
    if (!candidates_.none()) return !oracle_.verdict().bad();
    // Nothing is left to do at this moment: what was due has been done.
    for (const auto& link : kernel_.links()) oracle_.check_settled(*link);
    if (const Record* record = app_.waits_in_vain()) {
      fault("hangs", "client " + std::to_string(record->client) + ", request " +
                         std::to_string(record->request) +
                         ": its body is there, and its reader is not told");
    }
    if (oracle_.verdict().bad()) return false;
    if (wait != kNever) next = std::min(next, clock_.now() + wait);
  }
  if (next == kNever) return end_what_never_ends();
  advance_to(next);
  return !oracle_.verdict().bad();
}

void World::run_plan() {
  const Plan& plan = scenario_.plan;
  if (plan.drain_at < 0) return;
  const Nanos drain = epoch_ + plan.drain_at * kMillisecond;
  const Nanos grace = drain + plan.grace * kMillisecond;
  const Nanos now = clock_.now();
  const Inside inside;
  static_cast<void>(loop_->fresh_now());
  if (now >= drain && !std::exchange(drained_, true)) {
    note("the server drains");
    saw("drain");
    oracle_.on_drain();
    server_->drain();
    oracle_.on_drained();
  }
  if (now >= grace && !std::exchange(cancelled_, true)) {
    note("requests are cancelled");
    server_->cancel_requests();
    if (colleague_) colleague_->cancel_requests();
  }
  if (now >= grace + kSecond && !std::exchange(closed_, true)) {
    note("all connections are closed");
    oracle_.on_all_closed();
    server_->close_all();
    if (colleague_) colleague_->close_all();
  }
}

// Requests that wait for ever are all that is left: they are cancelled. False: nothing
// is.
bool World::end_what_never_ends() {
  if (app_.runnable() == 0 && app_.idle()) return false;
  // Anew, whatever the plan did: the colleague may have taken one over since.
  if (std::exchange(ended_, true)) {
    oracle_.on_all_closed();
    // One that is closed may make room for another.
    if (++closings_ > plans_.size()) {
      fault("hangs", "a request waits for ever, though it was cancelled");
      return false;
    }
    const Inside inside;
    server_->close_all();
    if (colleague_) colleague_->close_all();
    dirty_ = true;
    return true;
  }
  note("requests are cancelled");
  const Inside inside;
  server_->cancel_requests();
  if (colleague_) colleague_->cancel_requests();
  dirty_ = true;
  return true;
}

// --- what must hold all the time ---

std::size_t World::open_links() const {
  std::size_t n = 0;
  for (const auto& link : kernel_.links()) n += link->server_closed ? 0U : 1U;
  return n;
}

// Messages that wait, and the one that comes (WS09).
std::size_t World::held_by_socket() const {
  constexpr std::size_t kFragments = 8;
  constexpr std::size_t kInbox = std::size_t{4} << 20;
  const Rules& rules = scenario_.rules;
  const std::size_t message = std::min(static_cast<std::size_t>(rules.ws_message),
                                       kFragments * largest_message_);
  const std::size_t waiting =
      std::min(static_cast<std::size_t>(rules.ws_queue) * message, kInbox + message);
  return 2 * (waiting + message);
}

void World::check_after_loop() {
  constexpr std::size_t kShared = 512 * 1024;
  constexpr std::size_t kInput = 512 * 1024;  // a head, what is read ahead, slack
  std::size_t open = 0;
  for (const auto& link : kernel_.links()) {
    if (link->server_closed || !link->accepted) continue;
    ++open;
    oracle_.check_output(*link);
  }
  oracle_.check_connections(open);
  const Rules& rules = scenario_.rules;
  // A string that grows takes twice what it needs.
  const std::size_t each =
      kInput + held_by_socket() +
      4 * (static_cast<std::size_t>(rules.body_buffer + rules.response_buffer) +
           largest_piece_);
  const std::size_t held = memory::live() - memory_base_ + app_.lent();
  if (held <= kShared + (open + 1) * each) return;
  fault("held",
        std::to_string(open) + " connections hold " + std::to_string(held) + " bytes");
}

// Connections that wait for their next request hold nothing of the last ones.
void World::check_idle_memory() {
  constexpr std::size_t kShared = 48 * 1024;  // scratch and tables of the server
  constexpr std::size_t kEach = 1024;         // SL04
  if (!app_.idle() || server_->load().connections == 0 || !passed_.empty()) return;
  std::size_t open = 0;
  for (const auto& link : kernel_.links()) {
    if (link->server_closed || !link->accepted) continue;
    const Conversation& c = oracle_.of(link->client);
    const auto& spans = c.client->script().spans;
    const std::size_t served = c.written.whole();
    const bool between = served > 0 && served == c.records.size() &&
                         served == c.written.answers().size() &&
                         link->up.delivered == spans[served - 1].end &&
                         link->up.arrived.empty() && link->blocked_since == kNever &&
                         !c.written.answers().back().says_close && !link->server_shut;
    if (!between) return;
    ++open;
  }
  if (open == 0) return;
  {
    const Inside inside;
    loop_->settle();  // destroys what has closed
    loop_->give_memory_back();
  }
  saw("idle memory");
  const std::size_t held = memory::live() - memory_base_;
  if (held <= kShared + open * kEach) return;
  fault("memory", std::to_string(open) + " idle connections hold " +
                      std::to_string(held) + " bytes");
}

// All that has come on its WebSocket is with its application.
bool World::waits_for_messages(const Link& link) {
  const Conversation& c = oracle_.of(link.client);
  if (c.records.empty() || !c.records.back()->socket.accepted) return false;
  const Record& record = *c.records.back();
  const Upward up(*c.client->talk());
  const bool open = !record.socket.over && record.socket.closes == 0 && !up.end &&
                    !link.server_shut && record.reads_since != kNever;
  return open && link.blocked_since == kNever && link.up.arrived.empty() &&
         link.up.delivered == c.client->script().bytes.size() &&
         !c.client->talk()->is_under_way() && up.messages.size() == record.socket.got;
}

// Most WebSockets are idle: they hold next to nothing.
void World::check_socket_memory() {
  constexpr std::size_t kShared = 96 * 1024;  // as below, and frames on their way
  constexpr std::size_t kEach = 4096;
  if (!passed_.empty()) return;
  std::size_t open = 0;
  for (const auto& link : kernel_.links()) {
    if (link->server_closed || !link->accepted) continue;
    if (!waits_for_messages(*link)) return;
    ++open;
  }
  if (open == 0 || open != app_.under_way()) return;
  {
    const Inside inside;
    loop_->settle();
    loop_->give_memory_back();
  }
  saw("idle WebSocket");
  const std::size_t held = memory::live() - memory_base_;
  if (held <= kShared + open * kEach) return;
  fault("memory", std::to_string(open) + " idle WebSockets hold " +
                      std::to_string(held) + " bytes");
}

// --- the end ---

void World::judge_counters(const server::Server& server, const char* name) {
  const server::Load& load = server.load();
  const server::Counters& n = server.counters();
  std::uint64_t closed = 0;
  for (const std::uint64_t each : n.closed) closed += each;
  std::uint64_t active = 0;
  for (const std::uint64_t each : load.active) active += each;
  if (load.connections != 0 || load.in_flight != 0 || load.queued != 0 ||
      load.idle != 0 || active != 0) {
    fault("stuck", std::string(name) + " ends with " +
                       std::to_string(load.connections) + " connections, " +
                       std::to_string(load.in_flight) + " requests in flight, " +
                       std::to_string(load.queued) + " queued, " +
                       std::to_string(load.idle) + " idle");
  }
  if (n.accepted + n.taken != closed) {
    fault("counters", std::string(name) + " has accepted " +
                          std::to_string(n.accepted + n.taken) + " and closed " +
                          std::to_string(closed));
  }
}

void World::judge() {
  for (const auto& client : clients_) oracle_.judge_client(*client);
  judge_counters(*server_, "the server");
  if (colleague_) judge_counters(*colleague_, "the colleague");
  for (const auto& record : app_.records()) {
    if (!record->released) fault("hangs", "a request was never released");
  }
  if (!app_.sockets_are_gone()) fault("stuck", "a WebSocket is left");
  {
    const Inside inside;
    app_.abandon();
    colleague_.reset();
    server_.reset();
    loop_.reset();
  }
  if (app_.owners() != 0) fault("owners", "pieces of answers were not released");
  if (kernel_.open_descriptors() != 0) {
    fault("descriptors", std::to_string(kernel_.open_descriptors()) + " left open");
  }
  if (memory::live() != memory_before_) {
    fault("leak", std::to_string(memory::live() - memory_before_) + " bytes leaked");
  }
}

Outcome World::run() {
  start();
  while (step()) {
  }
  if (!oracle_.verdict().bad()) {
    judge();
  } else {
    // What is left must not be judged once more while it is taken down.
    const Inside inside;
    server_->close_all();
    if (colleague_) colleague_->close_all();
    loop_->settle();
    app_.abandon();
  }
  outcome_.verdict = oracle_.verdict();
  outcome_.steps = steps_;
  return std::move(outcome_);
}

}  // namespace

Outcome run(const Scenario& scenario, bool with_trace) {
  World world(scenario, with_trace);
  return world.run();
}

}  // namespace celadon::sim
