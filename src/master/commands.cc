// What is asked of the master: by signals, and by the control socket.
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/quoted.h"
#include "master/master.h"

namespace celadon::master {
namespace {

constexpr std::string_view kDone = R"({"ok":true})";

std::string failed(std::string_view why) {
  std::string text = R"({"ok":false,"error":)";
  append_quoted(text, why);
  return text + "}";
}

std::optional<Level> level_of(std::string_view name) {
  constexpr std::pair<std::string_view, Level> kLevels[] = {
      {"debug", Level::Debug},       {"info", Level::Info},
      {"warning", Level::Warning},   {"error", Level::Error},
      {"critical", Level::Critical},
  };
  for (const auto& [known, level] : kLevels) {
    if (known == name) return level;
  }
  return std::nullopt;
}

}  // namespace

void Master::begin_stop(bool quick) noexcept {
  if (roster_.stopping() && !quick) return;
  if (!commons_.slab().summary().stopping.load(std::memory_order_relaxed))
    hooks_.stopping();
  commons_.slab().summary().stopping.store(true, std::memory_order_relaxed);
  if (quick || watch_.drain_delay <= 0 || stop_at_ != kNever) return stop_now(quick);
  info("stopping after drain_delay: requests should go elsewhere");
  stop_at_ = loop_->fresh_now() + watch_.drain_delay;
}

void Master::stop_now(bool quick) noexcept {
  stop_at_ = kNever;
  end_reload(metrics::Reload::Failed, "the server stops");
  info(quick ? "stopping at once" : "stopping: workers finish their requests");
  if (quick) hurry();
  quick_ = quick;
  // The workers have theirs, and close them as soon as they take nobody any more: with
  // the last one's the address is free.
  listeners_.clear();
  roster_.stop(loop_->fresh_now());
}

bool Master::reload() noexcept {
  if (roster_.stopping()) return false;
  std::atomic<int>& level = commons_.slab().summary().log_level;
  if (!roster_.reload_is_open()) {
    wanted_before_ = roster_.wanted();
    level_before_ = level.load(std::memory_order_relaxed);
  }
  const auto workers = hooks_.reload();
  if (!workers) {
    complain(Level::Error, "the configuration is bad: everything stays as it is");
    ++commons_.slab().summary().deeds.rejected_reloads;
    refusal_ = workers.error();
    // One that is under way goes on, and is what is told of.
    if (commons_.slab().summary().reload.load() != metrics::Reload::Running) {
      note_reload(metrics::Reload::Refused, refusal_);
    }
    return false;
  }
  info("reloading");
  ++commons_.slab().summary().deeds.reloads;
  level.store(0, std::memory_order_relaxed);
  ++commons_.slab().summary().deeds.generation;
  note_reload(metrics::Reload::Running, {});
  want(*workers);
  roster_.reload();
  settled_ = false;
  return true;
}

void Master::note_reload(metrics::Reload how, std::string_view why) noexcept {
  metrics::Summary& summary = commons_.slab().summary();
  summary.reload_failure.set({why});
  summary.reloaded_wall.store(
      static_cast<double>(clock_.wall()) / static_cast<double>(kSecond),
      std::memory_order_relaxed);
  summary.reload.store(how, std::memory_order_release);
}

// Of one that was under way; whoever waits for that is told.
void Master::end_reload(metrics::Reload how, std::string_view why) noexcept {
  if (commons_.slab().summary().reload.load() != metrics::Reload::Running) return;
  note_reload(how, why);
  const std::string reply =
      how == metrics::Reload::Done ? std::string(kDone) : failed(why);
  for (const std::uint64_t asker : std::exchange(reload_askers_, {})) {
    admin_.reply(asker, reply);
  }
}

// Whether it has failed meanwhile: then all is as it was before it.
void Master::look_at_reload(std::string_view why) noexcept {
  if (!roster_.take_failed_reload()) return;
  if (roster_.undoing()) take_back();  // else one was to be recycled
  complain(Level::Error, "the new worker failed: the old ones stay");
  end_reload(metrics::Reload::Failed, why);
}

void Master::take_back() noexcept {
  metrics::Summary& summary = commons_.slab().summary();
  ++summary.deeds.rejected_reloads;
  summary.log_level.store(level_before_, std::memory_order_relaxed);
  hooks_.take_back();
  want(wanted_before_);
}

void Master::resize(int by) noexcept {
  const int wanted = roster_.wanted() + by;
  if (roster_.stopping()) return;
  if (wanted < 1) return info("SIGTTOU is ignored: one worker is the least");
  if (by > 0 && !roster_.has_room_for(wanted))
    return info("SIGTTIN is ignored: there is room for no more until a restart");
  want(wanted);
  info(std::to_string(wanted) + " workers are wanted");
}

void Master::want(int workers) noexcept {
  const int before = roster_.wanted();
  if (workers == before) return;
  roster_.resize(workers);
  hooks_.resized(workers, before);
}

void Master::signal_all(int signo) const noexcept {
  for (const WorkerProcess& worker : roster_.workers()) ::kill(worker.pid, signo);
}

// Those that were told to finish are told that there is no time for it.
void Master::hurry() const noexcept {
  for (const WorkerProcess& worker : roster_.workers()) {
    if (worker.phase == Phase::Retiring) tell_to_stop(worker.pid, true);
  }
}

std::string Master::obey(std::uint64_t question, std::string_view words) noexcept {
  constexpr std::string_view kWorkers = "workers ";
  constexpr std::string_view kLevel = "log-level ";
  metrics::Summary& summary = commons_.slab().summary();
  if (words == "config") return hooks_.describe_settings();
  if (words.starts_with(kWorkers)) return obey_workers(words.substr(kWorkers.size()));
  if (words.starts_with(kLevel)) return obey_level(words.substr(kLevel.size()));
  if (words == "reload") return obey_reload(question);
  if (words == "reopen") {
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

// Answered once the workers of now have taken over, or it is known why they do not.
std::string Master::obey_reload(std::uint64_t question) noexcept {
  if (roster_.stopping()) return failed("the server stops");
  if (!reload()) return failed(refusal_);
  reload_askers_.push_back(question);
  return {};
}

// Until the next reload. Workers are told as they are of logs to be opened again, which
// does no harm.
std::string Master::obey_level(std::string_view name) noexcept {
  const auto level = level_of(name);
  if (!level) return failed("log-level debug, info, warning, error or critical");
  commons_.slab().summary().log_level.store(static_cast<int>(*level) + 1,
                                            std::memory_order_relaxed);
  hooks_.set_log_level(*level);
  signal_all(SIGUSR1);
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
