// The loop over both pollers: the same tests, the same results.
#include "loop/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "loop/signals.h"
#include "loop/thread_pool.h"

namespace celadon::loop {
namespace {

struct Pair {
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0); }
  ~Pair() {
    for (const int f : fd) {
      if (f >= 0) ::close(f);
    }
  }
  void send(const char* text) const {
    EXPECT_GT(::write(fd[1], text, std::char_traits<char>::length(text)), 0);
  }
  int fd[2] = {-1, -1};
};

struct Recorder final : IoHandler {
  void on_io(std::uint8_t ready) noexcept override {
    seen.push_back(ready);
    if (then) then();
  }
  std::vector<int> seen;
  std::function<void()> then;
};

struct SignalRecorder final : SignalHandler {
  void on_signal(int signo) noexcept override { seen.push_back(signo); }
  std::vector<int> seen;
};

struct CountingTimer final : Timer {
  void on_timer() noexcept override {
    ++fired;
    if (then) then();
  }
  int fired = 0;
  std::function<void()> then;
};

struct CountingKeeper final : Keeper {
  bool keeps_memory() const noexcept override { return kept > 0; }
  void give_back_unused() noexcept override {
    ++asked;
    --kept;
  }
  void give_back_all() noexcept override { kept = 0; }
  int kept = 0;
  int asked = 0;
};

class LoopTest : public ::testing::TestWithParam<bool> {
 protected:
  static std::unique_ptr<Poller> make() {
    return GetParam() ? make_epoll_poller() : make_poll_poller();
  }
  ManualClock clock_;
  Loop loop_{make(), clock_};
};

TEST_P(LoopTest, WhoKeepsMemoryIsAskedForItAsLongAsThereIsAny) {
  CountingKeeper keeper;
  loop_.add_keeper(keeper);
  const auto pass = [this](Nanos time) {
    loop_.settle();
    clock_.advance(time);
    loop_.turn(0);
  };
  pass(60 * kSecond);
  EXPECT_FALSE(loop_.has_timers());
  keeper.kept = 2;
  pass(kSecond);
  EXPECT_TRUE(loop_.has_timers());
  EXPECT_EQ(keeper.asked, 0);
  for (int i = 0; i < 4; ++i) pass(60 * kSecond);
  EXPECT_EQ(keeper.asked, 2);
  EXPECT_FALSE(loop_.has_timers());
  keeper.kept = 2;
  loop_.give_memory_back();
  EXPECT_EQ(keeper.kept, 0);
}

TEST_P(LoopTest, ReportsReadableAndWritable) {
  Pair pair;
  Recorder handler;
  ASSERT_TRUE(loop_.watch(pair.fd[0], kRead, handler));
  loop_.turn(0);
  EXPECT_TRUE(handler.seen.empty());
  pair.send("x");
  loop_.turn(0);
  EXPECT_EQ(handler.seen, (std::vector<int>{kRead}));
  ASSERT_TRUE(loop_.poller().modify(pair.fd[0], kRead | kWrite, handler));
  loop_.turn(0);
  EXPECT_EQ(handler.seen.back(), kRead | kWrite);
  loop_.poller().remove(pair.fd[0], handler);
}

TEST_P(LoopTest, ReportsHangup) {
  Pair pair;
  Recorder handler;
  ASSERT_TRUE(loop_.watch(pair.fd[0], kRead, handler));
  ::close(std::exchange(pair.fd[1], -1));
  loop_.turn(0);
  ASSERT_FALSE(handler.seen.empty());
  EXPECT_TRUE(handler.seen.back() & kHangup);
  loop_.poller().remove(pair.fd[0], handler);
}

TEST_P(LoopTest, OneShotFiresOnceUntilArmedAgain) {
  Pair pair;
  Recorder handler;
  ASSERT_TRUE(loop_.poller().modify(pair.fd[0], kRead | kOneShot, handler));
  pair.send("x");
  loop_.turn(0);
  loop_.turn(0);
  EXPECT_EQ(handler.seen.size(), 1U);
  ASSERT_TRUE(loop_.poller().modify(pair.fd[0], kRead | kOneShot, handler));
  loop_.turn(0);
  EXPECT_EQ(handler.seen.size(), 2U);
  loop_.poller().remove(pair.fd[0], handler);
}

TEST_P(LoopTest, ARemovedHandlerGetsNoEventOfTheCurrentBatch) {
  Pair a, b;
  Recorder first, second;
  ASSERT_TRUE(loop_.watch(a.fd[0], kRead, first));
  ASSERT_TRUE(loop_.watch(b.fd[0], kRead, second));
  first.then = [&] { loop_.poller().remove(b.fd[0], second); };
  second.then = [&] { loop_.poller().remove(a.fd[0], first); };
  a.send("x");
  b.send("x");
  loop_.turn(0);
  EXPECT_EQ(first.seen.size() + second.seen.size(), 1U);
  loop_.poller().remove(a.fd[0], first);
  loop_.poller().remove(b.fd[0], second);
}

TEST_P(LoopTest, PostedTasksRunInTheLoopsThread) {
  struct Note final : Task {
    explicit Note(std::vector<std::thread::id>& o) : out(o) {}
    void run() noexcept override { out.push_back(std::this_thread::get_id()); }
    std::vector<std::thread::id>& out;
  };
  std::vector<std::thread::id> ran;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop_.post(std::make_unique<Note>(ran));
  });
  while (ran.size() < 100) loop_.turn(kNever);
  other.join();
  for (const auto id : ran) EXPECT_EQ(id, std::this_thread::get_id());
}

TEST_P(LoopTest, PoolJobsCompleteOnTheLoop) {
  struct Job final : PoolJob {
    explicit Job(int& d) : done_count(d) {}
    void run() noexcept override { thread = std::this_thread::get_id(); }
    void done() noexcept override {
      EXPECT_NE(thread, std::this_thread::get_id());
      ++done_count;
    }
    std::thread::id thread;
    int& done_count;
  };
  int done = 0;
  ThreadPool pool(loop_, 3);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(pool.submit(std::make_unique<Job>(done)));
  while (done < 50) loop_.turn(kNever);
  EXPECT_EQ(done, 50);
}

TEST_P(LoopTest, SignalsKeepTheirOrder) {
  SignalRecorder handler;
  Signals signals(loop_, handler);
  for (const int signo : {SIGHUP, SIGTTIN, SIGTTOU}) signals.watch(signo);
  for (const int signo : {SIGTTOU, SIGHUP, SIGTTIN, SIGHUP}) ::raise(signo);
  loop_.turn(0);
  loop_.settle();
  EXPECT_EQ(handler.seen, (std::vector{SIGTTOU, SIGTTIN, SIGHUP}));
  ::raise(SIGTTIN);
  loop_.turn(0);
  loop_.settle();
  EXPECT_EQ(handler.seen.size(), 4U);
}

TEST_P(LoopTest, SignalsArriveAsCallbacks) {
  SignalRecorder handler;
  {
    Signals signals(loop_, handler);
    signals.watch(SIGUSR2);
    ::raise(SIGUSR2);
    ::raise(SIGUSR2);
    EXPECT_TRUE(handler.seen.empty());
    loop_.turn(kNever);
    loop_.settle();
    EXPECT_EQ(handler.seen, (std::vector<int>{SIGUSR2}));
  }
  struct sigaction now{};
  ::sigaction(SIGUSR2, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

TEST_P(LoopTest, DisposedObjectsLiveUntilTheTurnIsSettled) {
  struct Thing final : Disposable {
    explicit Thing(bool& a) : alive(a) { alive = true; }
    ~Thing() override { alive = false; }
    bool& alive;
  };
  bool alive = false;
  loop_.dispose(std::make_unique<Thing>(alive));
  loop_.turn(0);
  EXPECT_TRUE(alive);
  loop_.settle();
  EXPECT_FALSE(alive);
}

TEST_P(LoopTest, BlocksOnlyThroughTheHook) {
  struct Hook final : BlockHook {
    void before_block() noexcept override { ++before; }
    void after_block() noexcept override { ++after; }
    int before = 0, after = 0;
  } hook;
  loop_.set_block_hook(&hook);
  loop_.turn(0);
  EXPECT_EQ(hook.before, 0);
  loop_.turn(kMillisecond);
  EXPECT_EQ(hook.before, 1);
  EXPECT_EQ(hook.after, 1);
  Pair pair;
  Recorder handler;
  ASSERT_TRUE(loop_.watch(pair.fd[0], kRead, handler));
  pair.send("x");
  loop_.turn(kNever);  // something is ready: no block, no hook
  EXPECT_EQ(hook.before, 1);
  loop_.poller().remove(pair.fd[0], handler);
}

TEST_P(LoopTest, ClaimedDescriptorsAreAnnounced) {
  struct Claims final : FdClaims {
    void on_fd_claimed(int fd) noexcept override { claimed.push_back(fd); }
    std::vector<int> claimed;
  } claims;
  loop_.set_fd_claims(&claims);
  Pair pair;
  Recorder handler;
  ASSERT_TRUE(loop_.watch(pair.fd[0], kRead, handler));
  EXPECT_EQ(claims.claimed, (std::vector<int>{pair.fd[0]}));
  loop_.poller().remove(pair.fd[0], handler);
}

INSTANTIATE_TEST_SUITE_P(Pollers, LoopTest, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "Epoll" : "Poll"; });

TEST(Timeouts, AreExactWhereTheCallTakesNanoseconds) {
  EXPECT_EQ(to_poll_timeout(kMillisecond + 1), 2);
  const timespec span = to_timespec(3 * kSecond + 250'000);
  EXPECT_EQ(span.tv_sec, 3);
  EXPECT_EQ(span.tv_nsec, 250'000);
  EXPECT_EQ(to_timespec(-1).tv_nsec, 0);
}

// --- timers ---

TEST(Timers, AQuarterOfAMillisecondIsKnownFromAWhole) {
  ManualClock clock;
  Timers timers(clock.now());
  CountingTimer timer;
  timers.arm(timer, clock.now() + kMillisecond / 4);
  EXPECT_EQ(timers.next_in(clock.now()), kMillisecond / 4);
  clock.advance(kMillisecond / 4);
  EXPECT_EQ(timers.advance(clock.now()), 1);
}

TEST(Timers, FireInOrderAndNeverEarly) {
  ManualClock clock;
  Timers timers(clock.now());
  std::vector<int> order;
  CountingTimer a, b, c;
  a.then = [&] { order.push_back(1); };
  b.then = [&] { order.push_back(2); };
  c.then = [&] { order.push_back(3); };
  timers.arm(c, clock.now() + 5 * kSecond);
  timers.arm(a, clock.now() + 10 * kMillisecond);
  timers.arm(b, clock.now() + 500 * kMillisecond);
  clock.advance(10 * kMillisecond - 1);
  timers.advance(clock.now());
  EXPECT_TRUE(order.empty());
  clock.advance(1);
  timers.advance(clock.now());
  EXPECT_EQ(order, (std::vector{1}));
  clock.advance(10 * kSecond);
  timers.advance(clock.now());
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(Timers, CancelledAndRearmedTimers) {
  ManualClock clock;
  Timers timers(clock.now());
  CountingTimer a, b;
  timers.arm(a, clock.now() + kSecond);
  timers.arm(b, clock.now() + kSecond);
  a.cancel();
  timers.arm(b, clock.now() + 3 * kSecond);
  clock.advance(2 * kSecond);
  timers.advance(clock.now());
  EXPECT_EQ(a.fired + b.fired, 0);
  clock.advance(kSecond);
  timers.advance(clock.now());
  EXPECT_EQ(b.fired, 1);
  EXPECT_EQ(timers.next_in(clock.now()), kNever);
}

TEST(Timers, ATimerMayDestroyAnotherThatIsDue) {
  ManualClock clock;
  Timers timers(clock.now());
  auto victim = std::make_unique<CountingTimer>();
  CountingTimer killer;
  killer.then = [&] { victim.reset(); };
  timers.arm(killer, clock.now() + kMillisecond);
  timers.arm(*victim, clock.now() + kMillisecond);
  clock.advance(kSecond);
  timers.advance(clock.now());
  EXPECT_EQ(killer.fired, 1);
}

TEST(Timers, EveryDistanceFiresOnTimeWhateverTheSteps) {
  // From a millisecond to beyond the wheel's span, advanced by next_in().
  ManualClock clock;
  Timers timers(clock.now());
  const Nanos start = clock.now();
  std::vector<std::unique_ptr<CountingTimer>> all;
  std::vector<Nanos> due;
  for (Nanos ms = 1; ms < Nanos{1} << 43; ms = ms * 3 + 1) {
    all.push_back(std::make_unique<CountingTimer>());
    due.push_back(start + ms * kMillisecond);
    timers.arm(*all.back(), due.back());
  }
  std::size_t fired = 0;
  int looks = 0;
  while (fired < all.size()) {
    const Nanos wait = timers.next_in(clock.now());
    ASSERT_NE(wait, kNever);
    ASSERT_LE(clock.now() + wait, due[fired]);
    clock.advance(wait == 0 ? kMillisecond : wait);
    timers.advance(clock.now());
    while (fired < all.size() && all[fired]->fired == 1) {
      EXPECT_GE(clock.now(), due[fired]);
      ++fired;
    }
    ASSERT_LT(++looks, 1000);
  }
}

TEST(Timers, ManyTimersOfOneTick) {
  ManualClock clock;
  Timers timers(clock.now());
  std::vector<CountingTimer> all(10000);
  for (auto& timer : all) timers.arm(timer, clock.now() + 100 * kMillisecond);
  clock.advance(100 * kMillisecond);
  EXPECT_EQ(timers.advance(clock.now()), 10000);
}

}  // namespace
}  // namespace celadon::loop
