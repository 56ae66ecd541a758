#include "base/signal_name.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>

namespace celadon {
namespace {

struct Named {
  int signo;
  std::string_view name;
};

// POSIX's, and Linux's own (signal(7)).
constexpr std::array kNamed{
    Named{SIGHUP, "SIGHUP"},   Named{SIGINT, "SIGINT"},
    Named{SIGQUIT, "SIGQUIT"}, Named{SIGILL, "SIGILL"},
    Named{SIGTRAP, "SIGTRAP"}, Named{SIGABRT, "SIGABRT"},
    Named{SIGBUS, "SIGBUS"},   Named{SIGFPE, "SIGFPE"},
    Named{SIGKILL, "SIGKILL"}, Named{SIGUSR1, "SIGUSR1"},
    Named{SIGSEGV, "SIGSEGV"}, Named{SIGUSR2, "SIGUSR2"},
    Named{SIGPIPE, "SIGPIPE"}, Named{SIGALRM, "SIGALRM"},
    Named{SIGTERM, "SIGTERM"}, Named{SIGSTKFLT, "SIGSTKFLT"},
    Named{SIGCHLD, "SIGCHLD"}, Named{SIGCONT, "SIGCONT"},
    Named{SIGSTOP, "SIGSTOP"}, Named{SIGTSTP, "SIGTSTP"},
    Named{SIGTTIN, "SIGTTIN"}, Named{SIGTTOU, "SIGTTOU"},
    Named{SIGURG, "SIGURG"},   Named{SIGXCPU, "SIGXCPU"},
    Named{SIGXFSZ, "SIGXFSZ"}, Named{SIGVTALRM, "SIGVTALRM"},
    Named{SIGPROF, "SIGPROF"}, Named{SIGWINCH, "SIGWINCH"},
    Named{SIGPOLL, "SIGPOLL"}, Named{SIGPWR, "SIGPWR"},
    Named{SIGSYS, "SIGSYS"},
};

}  // namespace

std::string signal_name(int signo) {
  const auto* found = std::ranges::find(kNamed, signo, &Named::signo);
  if (found == kNamed.end()) return "signal " + std::to_string(signo);
  return std::string(found->name);
}

}  // namespace celadon
