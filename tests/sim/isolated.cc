#include "sim/isolated.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" [[gnu::visibility("default")]] const char* __asan_default_options();
// What it finds becomes a signal, leaks are counted by ourselves.
extern "C" const char* __asan_default_options() {
  return "abort_on_error=1:handle_abort=0:handle_segv=0:detect_leaks=0";
}

namespace celadon::sim {
namespace {

// A signal handler has nothing else.
std::array<char, 24> seed_text{};

void start_anew(int) {
  std::array<const char*, 7> arguments{"sim", "--seed",    seed_text.data(), "--count",
                                       "1",   "--isolate", nullptr};
  constexpr char kMessage[] = "it crashed: once more, isolated\n";
  [[maybe_unused]] const auto n = ::write(1, kMessage, sizeof kMessage - 1);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv("/proc/self/exe", const_cast<char**>(arguments.data()));
  ::_exit(3);
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> block;
  for (ssize_t n = 0; (n = ::read(fd, block.data(), block.size())) > 0;) {
    text.append(block.data(), static_cast<std::size_t>(n));
  }
  return text;
}

void tell(int fd, const Outcome& outcome) {
  std::string text = std::to_string(outcome.steps) + "\n" + outcome.verdict.kind +
                     "\n" + outcome.verdict.text;
  for (const std::string& each : outcome.seen) text += "\n" + each;
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

std::string take_line(std::string& text) {
  const auto end = text.find('\n');
  std::string line = text.substr(0, end);
  text.erase(0, end == std::string::npos ? end : end + 1);
  return line;
}

}  // namespace

Outcome run_isolated(const Scenario& scenario) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) < 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE}) {
      ::signal(signal, SIG_DFL);
    }
    // What the crash has to say is said when the scenario is replayed.
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, 2);
    tell(ends[1], run(scenario, false));
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  Outcome outcome;
  if (status != 0) {
    outcome.verdict = {"crash", WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status))
                                                    : "it ended by itself"};
    return outcome;
  }
  outcome.steps = std::strtoull(take_line(text).c_str(), nullptr, 10);
  outcome.verdict.kind = take_line(text);
  outcome.verdict.text = take_line(text);
  while (!text.empty()) outcome.seen.push_back(take_line(text));
  return outcome;
}

void note_seed(std::uint64_t seed) noexcept {
  std::snprintf(seed_text.data(), seed_text.size(), "%llu",
                static_cast<unsigned long long>(seed));
}

void expect_crashes() {
  // Of its own, where the stack that overflowed may be none.
  static std::array<char, 1 << 16> stack;
  const stack_t other{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  ::sigaltstack(&other, nullptr);
  struct sigaction action{};
  action.sa_handler = start_anew;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE}) {
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace celadon::sim
