#include "admin/snapshot.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "admin/json.h"
#include "admin/processes.h"
#include "metrics/declaration.h"
#include "metrics/readings.h"

namespace celadon::admin {
namespace {

using metrics::Gathered;
using metrics::Readings;
using metrics::Slot;
using metrics::SlotState;

constexpr std::size_t kRoutes = 20;
constexpr std::size_t kPlaces = 10;
constexpr std::size_t kSlow = 20;
constexpr std::size_t kEvents = 30;
constexpr std::string_view kDurations = "http_server_request_duration_seconds";

// The value of `name` in labels as they are printed.
std::string label_of(std::string_view labels, std::string_view name) {
  const std::string start = std::string(name) + "=\"";
  while (!labels.empty()) {
    const bool found = labels.starts_with(start);
    const std::size_t quote = labels.find('"');
    std::string value;
    std::size_t at = quote == labels.npos ? labels.size() : quote + 1;
    for (; at < labels.size() && labels[at] != '"'; ++at) {
      const bool escaped = labels[at] == '\\' && at + 1 < labels.size();
      if (escaped) ++at;
      value += escaped && labels[at] == 'n' ? '\n' : labels[at];
    }
    if (found) return value;
    labels.remove_prefix(std::min(at + 2, labels.size()));  // a quote and a comma
  }
  return {};
}

void put_counts(Json& json, const std::vector<double>& counts) {
  json.open('[');
  for (const double count : counts) json.number(count);
  json.close(']');
}

struct Route {
  double count = 0;
  double errors = 0;
  double seconds = 0;
  std::vector<double> counts;
};

// Requests by class of status, and by route.
class Requests {
 public:
  explicit Requests(const Gathered& gathered) {
    const auto found = gathered.families.find(std::string(kDurations));
    if (found == gathered.families.end()) return;
    bounds_ = found->second.bounds;
    for (const auto& [labels, cells] : found->second.samples) {
      if (cells.size() > 1) add(labels, cells);
    }
  }
  void write(Json& json) const {
    json.key("by_status").open('{');
    for (const auto& [name, count] : by_class_) json.key(name).number(count);
    json.close('}').key("seconds").number(all_.seconds).key("durations");
    put_counts(json, all_.counts);
    json.key("bounds").raw("[" + bounds_ + "]");
    json.key("errors").number(all_.errors);
  }
  void write_routes(Json& json) const {
    std::vector<std::pair<std::string, const Route*>> sorted;
    sorted.reserve(routes_.size());
    for (const auto& [name, route] : routes_) sorted.emplace_back(name, &route);
    std::ranges::sort(sorted, std::ranges::greater{},
                      [](const auto& each) { return each.second->seconds; });
    if (sorted.size() > kRoutes) sorted.resize(kRoutes);
    json.key("routes").open('[');
    for (const auto& [name, route] : sorted) {
      json.open('{').key("route").value(name).key("count").number(route->count);
      json.key("errors").number(route->errors).key("seconds").number(route->seconds);
      json.key("durations");
      put_counts(json, route->counts);
      json.close('}');
    }
    json.close(']');
  }

 private:
  static void add_to(Route& route, const std::vector<double>& cells, bool error) {
    const std::size_t buckets = cells.size() - 1;
    route.counts.resize(std::max(route.counts.size(), buckets));
    for (std::size_t i = 0; i < buckets; ++i) {
      route.counts[i] += cells[i];
      route.count += cells[i];
      if (error) route.errors += cells[i];
    }
    route.seconds += cells[buckets];
  }
  void add(const std::string& labels, const std::vector<double>& cells) {
    const std::string status = label_of(labels, "http_response_status_code");
    const bool error = status.starts_with('5');
    add_to(all_, cells, error);
    for (std::size_t i = 0; i + 1 < cells.size(); ++i) {
      by_class_[status.substr(0, 1) + "xx"] += cells[i];
    }
    std::string name = label_of(labels, "http_request_method");
    const std::string route = label_of(labels, "http_route");
    name.append(" ").append(route.empty() ? "(no route)" : route);
    add_to(routes_[name], cells, error);
  }
  std::string bounds_;
  Route all_;
  std::map<std::string, double> by_class_;
  std::map<std::string, Route> routes_;
};

void put_loop(Json& json, const Readings& read) {
  json.key("loop").open('{');
  json.key("turns").number(read.value("celadon_loop_turns_total"));
  for (const char* state : {"poll", "io", "timers", "work"}) {
    std::string label;
    metrics::append_label(label, "state", state);
    json.key(state).number(read.value("celadon_loop_seconds_total", label));
  }
  json.key("gil_wait").number(read.value("celadon_gil_wait_seconds_total"));
  json.key("lag");
  put_counts(json, read.counts("celadon_loop_lag_seconds"));
  json.key("blocked");
  put_counts(json, read.counts("celadon_loop_blocked_seconds"));
  json.close('}');
}

void put_greenlets(Json& json, const Readings& read) {
  json.key("greenlets").open('{');
  json.key("alive").number(read.value("celadon_greenlets", R"(state="alive")"));
  json.key("ready").number(read.value("celadon_greenlets", R"(state="ready")"));
  json.key("switches").number(read.value("celadon_greenlet_switches_total"));
  json.key("preemptions").number(read.value("celadon_greenlet_preemptions_total"));
  json.key("parked").open('{');
  if (const metrics::RowFamily* parked = read.family("celadon_greenlets_parked")) {
    for (const metrics::Row& row : parked->rows) {
      json.key(label_of(row.labels, "on")).number(read.value(parked->name, row.labels));
    }
  }
  json.close('}').close('}');
}

void put_workers(Json& json, const Site& site, const Readings& read) {
  json.key("workers").open('[');
  const auto slots = site.slab().slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    const SlotState state = slot.state.load(std::memory_order_acquire);
    if (state == SlotState::Free) continue;
    const pid_t pid = slot.pid.load(std::memory_order_relaxed);
    const ProcessUse use = pid > 0 ? use_of(pid) : ProcessUse{};
    json.open('{').key("worker").value(i).key("pid").value(pid);
    json.key("state").value(name_of(state)).key("healthy").value(site.is_fit(slot));
    json.key("age").raw(seconds_text(site.clock().now() -
                                     slot.leased_at.load(std::memory_order_relaxed)));
    json.key("held").raw(seconds_text(site.held_for(slot)));
    json.key("connections").number(read.value_of(slot, "celadon_connections"));
    json.key("requests")
        .value(metrics::read_cell(slot.gauges[metrics::gauge::kInFlight]));
    json.key("queued").value(metrics::read_cell(slot.gauges[metrics::gauge::kQueued]));
    json.key("served").number(read.value_of(slot, "celadon_requests_total"));
    json.key("work").number(
        read.value_of(slot, "celadon_loop_seconds_total", R"(state="work")"));
    json.key("poll").number(
        read.value_of(slot, "celadon_loop_seconds_total", R"(state="poll")"));
    json.key("cpu").number(use.cpu).key("rss").value(use.resident).close('}');
  }
  json.close(']');
}

void put_places(Json& json, const Site& site) {
  auto places = metrics::gather_places(site.slab());
  if (places.size() > kPlaces) places.resize(kPlaces);
  json.key("blockers").open('[');
  for (const metrics::Place& place : places) {
    json.open('{').key("where").value(place.where).key("stack").value(place.stack);
    json.key("count").number(place.count).key("seconds").number(place.seconds);
    json.key("longest").number(place.longest).key("last").number(place.last).close('}');
  }
  json.close(']');
}

void put_texts(Json& json, std::string_view name,
               std::vector<metrics::TextRing::Text> texts, std::size_t most) {
  std::ranges::sort(texts, std::ranges::greater{}, &metrics::TextRing::Text::at);
  if (texts.size() > most) texts.resize(most);
  json.key(name).open('[');
  for (const auto& text : texts) {
    json.open('{').key("at").number(text.at).key("text").value(text.text).close('}');
  }
  json.close(']');
}

// What the application's pools and drivers say of their connections.
void put_pools(Json& json, const Gathered& gathered) {
  json.key("pools").open('{');
  for (const auto& [name, family] : gathered.families) {
    const bool of_drivers = name.starts_with("celadon_db_connections");
    if (!of_drivers && !name.starts_with("db_client_connection")) continue;
    if (family.type == "histogram") continue;
    json.key(name).open('{');
    for (const auto& [labels, cells] : family.samples) {
      std::string pool =
          label_of(labels, of_drivers ? "server" : "db_client_connection_pool_name");
      const std::string state = label_of(labels, "db_client_connection_state");
      if (!state.empty()) pool.append(" ").append(state);
      json.key(pool).number(cells.empty() ? 0 : cells[0]);
    }
    json.close('}');
  }
  json.close('}');
}

void put_endings(Json& json, const metrics::Deeds& deeds) {
  json.key("spawned").value(metrics::read_cell(deeds.spawned));
  json.key("ended").open('{');
  for (std::size_t i = 0; i < metrics::kEndings; ++i) {
    json.key(metrics::kEndingNames[i]).value(metrics::read_cell(deeds.endings[i]));
  }
  json.close('}').key("lost").value(metrics::read_cell(deeds.lost));
  json.key("generation").value(metrics::read_cell(deeds.generation));
}

}  // namespace

std::string take_snapshot(const Site& site, const metrics::Catalogue& catalogue,
                          std::string_view build) {
  std::string text;
  site.slab().read_whole([&] {
    const Readings read(site.slab(), catalogue);
    const Gathered gathered = metrics::gather_series(site.slab());
    const Requests requests(gathered);
    Json json;
    json.open('{').key("ok").value(true);
    json.key("version").value(label_of(build, "version"));
    json.key("python").value(label_of(build, "python"));
    json.key("now").number(to_seconds(site.clock().wall()));
    json.key("status").raw(site.status()).key("health").raw(site.health());
    json.key("requests").open('{');
    json.key("total").number(read.value("celadon_requests_total"));
    json.key("failed").number(read.value("celadon_requests_failed_total"));
    json.key("queued").number(read.value("celadon_requests_queued"));
    requests.write(json);
    json.close('}');
    requests.write_routes(json);
    json.key("connections").open('{');
    json.key("open").number(read.value("celadon_connections"));
    json.key("idle").number(read.value("celadon_connections_idle"));
    json.key("accepted").number(read.value("celadon_connections_accepted_total"));
    json.close('}');
    json.key("websockets").open('{');
    json.key("open").number(read.value("celadon_websockets"));
    json.key("accepted").number(read.value("celadon_websockets_accepted_total"));
    json.key("faults").number(read.value("celadon_websocket_faults_total"));
    json.close('}');
    json.key("tasks").open('{');
    for (const std::string_view state : {"answering", "background"}) {
      const std::string label = R"(state=")" + std::string(state) + '"';
      json.key(state).number(read.value("celadon_asgi_tasks", label));
    }
    json.close('}');
    put_loop(json, read);
    put_greenlets(json, read);
    put_workers(json, site, read);
    put_endings(json, site.slab().summary().deeds);
    put_places(json, site);
    put_pools(json, gathered);
    std::vector<metrics::TextRing::Text> slow;
    for (std::size_t i = 0; i < site.slab().slots().size(); ++i) {
      site.slab().slow(i).append_to(slow);
    }
    put_texts(json, "slow", std::move(slow), kSlow);
    std::vector<metrics::TextRing::Text> events;
    site.slab().events().append_to(events);
    put_texts(json, "events", std::move(events), kEvents);
    json.close('}');
    text = json.take();
  });
  return text;
}

}  // namespace celadon::admin
