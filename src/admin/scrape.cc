#include "admin/scrape.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "admin/backlogs.h"
#include "admin/processes.h"
#include "admin/snapshot.h"
#include "metrics/declaration.h"

namespace celadon::admin {
namespace {

using metrics::Exposition;
using metrics::Slot;
using metrics::SlotState;

std::string label(std::string_view name, std::string_view value) {
  std::string text;
  metrics::append_label(text, name, value);
  return text;
}

double to_double(std::uint64_t n) noexcept {
  return static_cast<double>(n);
}

void write_one(Exposition& out, std::string_view name, std::string_view type,
               std::string_view help, double value) {
  out.family(name, type, help);
  out.sample({}, value);
}

}  // namespace

std::string Scraper::scrape(metrics::Format format) {
  const Nanos began = site_.clock().now();
  std::string text;
  site_.slab().read_whole([&] {
    Exposition out(format);
    metrics::write_rows(site_.slab(), catalogue_, out);
    metrics::Gathered gathered = metrics::gather_series(site_.slab());
    steady(gathered);
    metrics::write_series(gathered, out);
    write_workers(out);
    write_backlogs(out);
    write_processes(out);
    write_self(gathered, out);
    text = out.take();
  });
  took_.observe(static_cast<std::uint64_t>(site_.clock().now() - began));
  return text;
}

// Fractions that are added in another order, as when a worker is gone, may come out a
// little lower, which a reader would take for a new start.
void Scraper::steady(metrics::Gathered& gathered) {
  constexpr double kNoise = 1e-9;
  for (auto& [name, family] : gathered.families) {
    if (family.type == "gauge") continue;
    for (auto& [labels, cells] : family.samples) {
      if (cells.empty() || cells.back() == std::floor(cells.back())) continue;
      std::string key = name;
      key += '\0';
      key += labels;
      double& shown = shown_[std::move(key)];
      const bool is_noise = cells.back() < shown && cells.back() > shown * (1 - kNoise);
      if (is_noise) cells.back() = shown;
      shown = cells.back();
    }
  }
}

std::string Scraper::snapshot() const {
  return take_snapshot(site_, catalogue_, build_);
}

void Scraper::write_workers(Exposition& out) const {
  const metrics::Deeds& deeds = site_.slab().summary().deeds;
  out.family("celadon_workers", "gauge", "Workers by their state.");
  for (const SlotState state :
       {SlotState::Booting, SlotState::Ready, SlotState::Draining}) {
    double count = 0;
    for (const Slot& slot : site_.slab().slots()) count += slot.state.load() == state;
    out.sample(label("state", name_of(state)), count);
  }
  write_one(out, "celadon_worker_spawns_total", "counter", "Workers that were started.",
            to_double(metrics::read_cell(deeds.spawned)));
  out.family("celadon_worker_exits_total", "counter",
             "Workers that ended, by the reason.");
  for (std::size_t i = 0; i < metrics::kEndings; ++i) {
    out.sample(label("reason", metrics::kEndingNames[i]),
               to_double(metrics::read_cell(deeds.endings[i])));
  }
  write_one(out, "celadon_requests_lost_total", "counter",
            "Requests that died with their worker.",
            to_double(metrics::read_cell(deeds.lost)));
  write_one(out, "celadon_generation", "gauge", "How often the server was reloaded.",
            to_double(metrics::read_cell(deeds.generation)));
  out.family("celadon_config_reloads_total", "counter", "Reloads by their result.");
  out.sample(label("result", "accepted"), to_double(metrics::read_cell(deeds.reloads)));
  out.sample(label("result", "rejected"),
             to_double(metrics::read_cell(deeds.rejected_reloads)));
  out.family("celadon_tls_cert_not_after_timestamp_seconds", "gauge",
             "When the first certificate expires, in seconds since 1970.");
  const double ends = site_.slab().summary().certificate_ends_wall.load();
  if (ends > 0) out.sample({}, ends);
  const auto of_each = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, "gauge", help);
    const auto slots = site_.slab().slots();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].state.load() == SlotState::Free) continue;
      out.sample(label("worker", std::to_string(i)), value(slots[i]));
    }
  };
  of_each("celadon_worker_heartbeat_age_seconds",
          "How long the slice of a worker lasts that runs now.",
          [this](const Slot& slot) { return to_seconds(site_.held_for(slot)); });
  of_each("celadon_worker_uptime_seconds", "Age of a worker.",
          [this](const Slot& slot) {
            return to_seconds(site_.clock().now() - slot.leased_at.load());
          });
  of_each("celadon_worker_healthy", "Whether the checks of the application pass there.",
          [this](const Slot& slot) { return site_.is_fit(slot) ? 1.0 : 0.0; });
}

void Scraper::write_backlogs(Exposition& out) const {
  const auto backlogs = read_backlogs();
  const auto write = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, "gauge", help);
    for (const metrics::ListenerEntry& entry : site_.slab().summary().listeners) {
      const auto found = backlogs.find(entry.inode.load(std::memory_order_acquire));
      if (found == backlogs.end()) continue;
      out.sample(label("listener", entry.name.data()), to_double(value(found->second)));
    }
  };
  write("celadon_listen_backlog", "Connections that wait to be accepted.",
        [](const Backlog& backlog) { return backlog.waiting; });
  write("celadon_listen_backlog_limit", "How many may wait there.",
        [](const Backlog& backlog) { return backlog.limit; });
}

void Scraper::write_processes(Exposition& out) {
  const metrics::Summary& summary = site_.slab().summary();
  ProcessUse all;
  const auto add = [&all](pid_t pid) {
    const ProcessUse use = use_of(pid);
    all.cpu += use.cpu;
    all.resident += use.resident;
    all.descriptors += use.descriptors;
    return use;
  };
  all.cpu = summary.deeds.cpu_of_dead;
  add(summary.master.load(std::memory_order_relaxed));
  add(::getpid());
  out.family("celadon_worker_resident_memory_bytes", "gauge",
             "Memory of a worker, with what it shares.");
  const auto slots = site_.slab().slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const pid_t pid = slots[i].pid.load(std::memory_order_relaxed);
    if (slots[i].state.load() == SlotState::Free || pid == 0) continue;
    out.sample(label("worker", std::to_string(i)), to_double(add(pid).resident));
  }
  // For a moment the time of one that has died is nobody's.
  cpu_ = std::max(cpu_, all.cpu);
  write_one(out, "process_cpu_seconds_total", "counter",
            "User and system time of all processes.", cpu_);
  write_one(out, "process_resident_memory_bytes", "gauge",
            "Resident memory of all processes, shared pages counted in each.",
            to_double(all.resident));
  write_one(out, "process_open_fds", "gauge",
            "Open descriptors of the processes that the admin process may look at.",
            to_double(all.descriptors));
  write_one(out, "process_max_fds", "gauge", "Their limit in one process.",
            to_double(descriptor_limit()));
  write_one(out, "process_start_time_seconds", "gauge",
            "When the master started, in seconds since 1970.",
            summary.started_wall.load(std::memory_order_relaxed));
}

void Scraper::write_self(const metrics::Gathered& gathered, Exposition& out) const {
  out.family("celadon_build_info", "gauge", "What this server is.");
  out.sample(build_, 1);
  write_one(out, "celadon_metrics_series", "gauge",
            "Series with labels, of all processes together.",
            to_double(gathered.series));
  write_one(out, "celadon_metrics_series_dropped_total", "counter",
            "Series that were one named _other, or none: metrics_max_series.",
            to_double(gathered.dropped));
  std::vector<double> counts;
  counts.reserve(took_.counts.size());
  for (const std::uint64_t count : took_.counts) counts.push_back(to_double(count));
  out.family("celadon_scrape_seconds", "histogram", "How long scrapes took.");
  out.histogram({}, metrics::kLagLabels, counts, to_double(took_.sum) * 1e-9);
}

}  // namespace celadon::admin
