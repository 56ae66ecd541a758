// What the control socket asks of the master.
#include <signal.h>

#include <algorithm>
#include <charconv>

#include "master/master.h"

namespace celadon::master {
namespace {

constexpr std::string_view kDone = R"({"ok":true})";

std::string failed(std::string_view why) {
  return R"({"ok":false,"error":")" + std::string(why) + R"("})";
}

}  // namespace

std::string Master::obey(std::string_view words) noexcept {
  constexpr std::string_view kWorkers = "workers ";
  metrics::Summary& summary = commons_.slab().summary();
  if (words == "config") return hooks_.describe_settings();
  if (words.starts_with(kWorkers)) return obey_workers(words.substr(kWorkers.size()));
  if (words == "reload") {
    if (!reload()) return failed("nothing was reloaded: the log says why");
  } else if (words == "reopen") {
    on_signal(SIGUSR1);
  } else if (words == "drain" || words == "drain off") {
    summary.draining.store(words == "drain", std::memory_order_relaxed);
    info(words == "drain" ? "draining: not ready from now on" : "no longer draining");
  } else if (words == "shutdown") {
    begin_stop(false);
  } else if (words == "shutdown quick") {
    begin_stop(true);
  } else {
    return failed("no such command");
  }
  return std::string(kDone);
}

std::string Master::obey_workers(std::string_view words) noexcept {
  constexpr std::string_view kKill = "kill ";
  if (words == "add" || words == "remove") {
    const int before = roster_.wanted();
    resize(words == "add" ? 1 : -1);
    if (roster_.wanted() == before) return failed("the number of workers stays");
    return std::string(kDone);
  }
  if (!words.starts_with(kKill)) return failed("no such command");
  words.remove_prefix(kKill.size());
  pid_t pid = 0;
  const auto [end, error] =
      std::from_chars(words.data(), words.data() + words.size(), pid);
  const bool is_number = error == std::errc{} && end == words.data() + words.size();
  const auto& workers = roster_.workers();
  if (!is_number ||
      std::ranges::find(workers, pid, &WorkerProcess::pid) == workers.end())
    return failed("there is no such worker");
  info("worker " + std::to_string(pid) + " is killed on demand");
  ::kill(pid, SIGKILL);
  return std::string(kDone);
}

}  // namespace celadon::master
