#include "admin/plain.h"

#include "metrics/gather.h"

namespace celadon::admin {
namespace {

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

}  // namespace

std::string describe_plainly(const Site& site) {
  std::string text = "live " + std::string(site.is_live() ? "yes" : "no") + ", ready " +
                     (site.is_ready() ? "yes" : "no") + "\n\n";
  text +=
      "worker      pid     state       age      held  connections  requests  queued\n";
  const auto slots = site.slab().slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const metrics::Slot& slot = slots[i];
    const auto state = slot.state.load(std::memory_order_acquire);
    if (state == metrics::SlotState::Free) continue;
    const auto gauge = [&slot](std::size_t at) {
      return std::to_string(metrics::read_cell(slot.gauges[at]));
    };
    const Nanos age =
        site.clock().now() - slot.leased_at.load(std::memory_order_relaxed);
    text += padded(std::to_string(i), 6);
    text += padded(std::to_string(slot.pid.load(std::memory_order_relaxed)), 9);
    text += padded(name_of(state), 10);
    text += padded(seconds_text(age), 10);
    text += padded(seconds_text(site.held_for(slot)), 10);
    text += padded(gauge(metrics::gauge::kConnections), 13);
    text += padded(gauge(metrics::gauge::kInFlight), 10);
    text += padded(gauge(metrics::gauge::kQueued), 8) + "\n";
  }
  text += "\nwhat held a loop: times, seconds in all\n";
  for (const metrics::Place& place : metrics::gather_places(site.slab())) {
    text += padded(std::to_string(static_cast<long long>(place.count)), 6) + "  " +
            seconds_text(static_cast<Nanos>(place.seconds * 1e9)) + "  " + place.where +
            "\n";
  }
  return text;
}

}  // namespace celadon::admin
