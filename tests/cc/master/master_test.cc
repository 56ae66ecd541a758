#include "master/master.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

namespace celadon::master {
namespace {

constexpr std::size_t kSlots = 8;

// Shared by a master in a process of its own and its workers.
Commons commons = std::move(*Commons::make(kSlots));

struct Log final : LogSink {
  void log(Level, std::string_view line) noexcept override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

struct RealHooks : Hooks {
  pid_t fork() noexcept override {
    ++forks;
    return ::fork();
  }
  std::expected<int, std::string> reload() noexcept override { return workers; }
  void take_back() noexcept override { ++taken_back; }
  void reopen_logs() noexcept override { ++reopened; }
  void set_log_level(Level) noexcept override {}
  void settled() noexcept override { ++settlings; }
  void stopping() noexcept override {}
  void alive() noexcept override {}
  void worker_gone(pid_t) noexcept override { ++gone; }
  void resized(int, int) noexcept override { ++resizes; }
  std::string describe_settings() noexcept override { return "{}"; }
  [[noreturn]] void serve_admin(net::OwnedFd) noexcept override { ::_exit(0); }
  int forks = 0;
  int workers = 1;
  int reopened = 0;
  int gone = 0;
  int settlings = 0;
  int resizes = 0;
  int taken_back = 0;
};

// A child that does what a worker does: says that it is ready, waits for a signal.
[[noreturn]] void work(const Outcome& outcome, bool boots) {
  if (!boots) ::_exit(4);
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  [[maybe_unused]] const auto n = ::write(outcome.control.get(), "R", 1);
  int signo = 0;
  while (signo != SIGTERM && signo != SIGQUIT) ::sigwait(&all, &signo);
  ::_exit(0);
}

// The master in a process of its own, so that its signals are its own.
template <class Setup>
int status_of_master(Setup setup) {
  const pid_t pid = ::fork();
  if (pid == 0) setup();
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// Once so many workers were ready, the master gets a signal.
struct SignalOnReady final : LogSink {
  void log(Level, std::string_view line) noexcept override {
    if (line.ends_with("is ready") && ++ready == at) ::raise(signo);
  }
  int at = 0;
  int signo = 0;
  int ready = 0;
};

TEST(MasterTest, StopsWhenAllWorkersHaveEnded) {
  EXPECT_EQ(status_of_master([] {
              RealHooks hooks;
              SignalOnReady log;
              log.at = 3;
              log.signo = SIGTERM;
              Master master(hooks, log, commons, 3, {.slots = kSlots}, {},
                            LogHeir("", 1));
              const Outcome outcome = master.run();
              if (outcome.is_worker) work(outcome, true);
              ::_exit(hooks.forks == 3 && outcome.status == 0 ? 42 : 1);
            }),
            42);
}

TEST(MasterTest, AReloadMakesNewOnes) {
  EXPECT_EQ(status_of_master([] {
              RealHooks hooks;
              hooks.workers = 2;
              struct Script final : LogSink {
                void log(Level, std::string_view line) noexcept override {
                  if (!line.ends_with("is ready")) return;
                  ++ready;
                  if (ready == 1) ::raise(SIGHUP);
                  if (ready == 3) ::raise(SIGTERM);
                }
                int ready = 0;
              } log;
              Master master(hooks, log, commons, 1, {.slots = kSlots}, {},
                            LogHeir("", 1));
              const Outcome outcome = master.run();
              if (outcome.is_worker) work(outcome, true);
              ::_exit(hooks.forks == 3 && hooks.gone == 3 && hooks.resizes == 1 &&
                              outcome.status == 0
                          ? 42
                          : 1);
            }),
            42);
}

TEST(MasterTest, SaysOnceWhenAllIsAsItShouldBe) {
  EXPECT_EQ(status_of_master([] {
              struct Script final : RealHooks {
                void settled() noexcept override {
                  ::raise(++settlings == 1 ? SIGHUP : SIGTERM);
                }
              } hooks;
              Log log;
              Master master(hooks, log, commons, 1, {.slots = kSlots}, {},
                            LogHeir("", 1));
              const Outcome outcome = master.run();
              if (outcome.is_worker) work(outcome, true);
              ::_exit(hooks.settlings == 2 && hooks.forks == 2 ? 42 : 1);
            }),
            42);
}

TEST(MasterTest, AFirstWorkerThatDoesNotBootEndsIt) {
  EXPECT_EQ(status_of_master([] {
              RealHooks hooks;
              Log log;
              Master master(hooks, log, commons, 2, {.slots = kSlots}, {},
                            LogHeir("", 1));
              const Outcome outcome = master.run();
              if (outcome.is_worker) work(outcome, false);
              ::_exit(outcome.status == 4 ? 42 : 1);
            }),
            42);
}

TEST(MasterTest, AWorkerSeesThatTheMasterIsGone) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(status_of_master([&] {
              RealHooks hooks;
              SignalOnReady log;
              log.at = 2;
              log.signo = SIGKILL;
              Master master(hooks, log, commons, 2, {.slots = kSlots}, {},
                            LogHeir("", 1));
              const Outcome outcome = master.run();
              [[maybe_unused]] auto n = ::write(outcome.control.get(), "R", 1);
              char byte = 0;
              // End-of-file, though the other worker lives.
              if (::read(outcome.control.get(), &byte, 1) == 0)
                n = ::write(ends[1], "x", 1);
              ::_exit(0);
            }),
            1000 + SIGKILL);
  char bytes[2];
  EXPECT_EQ(::read(ends[0], bytes, 1), 1);
  EXPECT_EQ(::read(ends[0], bytes, 1), 1);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace celadon::master
