#include "admin/site.h"

#include <algorithm>

#include "admin/json.h"
#include "metrics/balance.h"

namespace celadon::admin {

using metrics::Slot;
using metrics::SlotState;

const char* name_of(SlotState state) noexcept {
  switch (state) {
    case SlotState::Booting: return "booting";
    case SlotState::Ready: return "ready";
    case SlotState::Draining: return "draining";
    case SlotState::Free: break;
  }
  return "free";
}

std::string seconds_text(Nanos nanos) {
  const std::string text = std::to_string(to_seconds(nanos));
  return text.substr(0, text.find('.') + 4);
}

bool Site::is_fit(const Slot& slot) const noexcept {
  const Nanos until = slot.fit_until.load(std::memory_order_relaxed);
  return until == 0 || clock_.now() < until;
}

bool Site::takes_requests(const Slot& slot) const noexcept {
  const bool full =
      queue_depth_ > 0 &&
      metrics::read_cell(slot.gauges[metrics::gauge::kQueued]) >= queue_depth_;
  return slot.state.load(std::memory_order_acquire) == SlotState::Ready && !full &&
         is_fit(slot);
}

std::optional<bool> Site::verdict(std::string_view name) const noexcept {
  if (name == "live") return is_live();
  if (name == "ready") return is_ready();
  if (name == "startup") return has_started();
  return std::nullopt;
}

Nanos Site::held_for(const Slot& slot) const noexcept {
  const Nanos began = slot.pulse.load(std::memory_order_relaxed);
  return began == 0 ? 0 : clock_.now() - began;
}

std::size_t Site::serving() const noexcept {
  std::size_t count = 0;
  for (const Slot& slot : slab_.slots()) {
    count += slot.state.load(std::memory_order_relaxed) == SlotState::Ready;
  }
  return count;
}

bool Site::is_live() const noexcept {
  return !metrics::hangs(slab_, timeout_, clock_.now());
}

bool Site::is_ready() const noexcept {
  const metrics::Summary& summary = slab_.summary();
  return !summary.stopping.load(std::memory_order_relaxed) &&
         !summary.draining.load(std::memory_order_relaxed) &&
         std::ranges::any_of(slab_.slots(),
                             [this](const Slot& slot) { return takes_requests(slot); });
}

bool Site::has_started() const noexcept {
  return slab_.summary().started.load(std::memory_order_relaxed);
}

std::string Site::health() const {
  Json json;
  json.open('{').key("ok").value(is_live() && is_ready());
  json.key("live").value(is_live()).key("ready").value(is_ready());
  json.key("startup").value(has_started()).close('}');
  return json.take();
}

std::string Site::workers() const {
  Json json;
  json.open('{').key("ok").value(true).key("workers").open('[');
  const auto slots = slab_.slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    const SlotState state = slot.state.load(std::memory_order_acquire);
    if (state == SlotState::Free) continue;
    const Nanos age = clock_.now() - slot.leased_at.load(std::memory_order_relaxed);
    const auto gauge = [&slot](std::size_t at) {
      return metrics::read_cell(slot.gauges[at]);
    };
    json.open('{').key("worker").value(i);
    json.key("pid").value(slot.pid.load(std::memory_order_relaxed));
    json.key("state").value(name_of(state)).key("age").raw(seconds_text(age));
    json.key("held").raw(seconds_text(held_for(slot)));
    json.key("healthy").value(is_fit(slot));
    json.key("connections").value(gauge(metrics::gauge::kConnections));
    json.key("requests").value(gauge(metrics::gauge::kInFlight));
    json.key("queued").value(gauge(metrics::gauge::kQueued));
    json.close('}');
  }
  json.close(']').close('}');
  return json.take();
}

namespace {

void put_reload(Json& json, const metrics::Summary& summary) {
  const metrics::Reload how = summary.reload.load(std::memory_order_acquire);
  json.key("last_reload").open('{');
  json.key("outcome").value(metrics::kReloadNames[static_cast<std::size_t>(how)]);
  if (how != metrics::Reload::None) {
    json.key("at").number(summary.reloaded_wall.load(std::memory_order_relaxed));
  }
  const std::string why = summary.reload_failure.get();
  if (!why.empty()) json.key("error").value(why);
  json.close('}');
}

}  // namespace

std::string Site::status() const {
  const metrics::Summary& summary = slab_.summary();
  const Nanos age = clock_.now() - summary.started_at.load(std::memory_order_relaxed);
  const char* state = summary.stopping.load(std::memory_order_relaxed)   ? "stopping"
                      : summary.draining.load(std::memory_order_relaxed) ? "draining"
                      : serving() > 0                                    ? "serving"
                                                                         : "starting";
  std::uint64_t connections = 0;
  std::uint64_t requests = 0;
  for (const Slot& slot : slab_.slots()) {
    connections += metrics::read_cell(slot.gauges[metrics::gauge::kConnections]);
    requests += metrics::read_cell(slot.gauges[metrics::gauge::kInFlight]);
  }
  Json json;
  json.open('{').key("ok").value(true).key("state").value(state);
  json.key("pid").value(summary.master.load(std::memory_order_relaxed));
  json.key("uptime").raw(seconds_text(age)).key("workers").value(serving());
  json.key("connections").value(connections).key("requests").value(requests);
  put_reload(json, summary);
  json.close('}');
  return json.take();
}

}  // namespace celadon::admin
