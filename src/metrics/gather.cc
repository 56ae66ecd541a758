#include "metrics/gather.h"

#include <algorithm>
#include <utility>

#include "metrics/declaration.h"

namespace celadon::metrics {
namespace {

std::string with_worker(std::string_view labels, std::size_t slot) {
  std::string text(labels);
  append_label(text, "worker", std::to_string(slot));
  return text;
}

// The last one holds: code that was loaded anew may say something else of its series.
void declare(const Series& series, Gathered& out) {
  const auto found = parse_declaration(series.key);
  if (!found) return;
  GatheredFamily& family = out.families[std::string(found->name)];
  family.type = found->type;
  family.help = found->help;
  family.bounds = found->bounds;
}

// What was counted by other bounds than those of now is left out: it adds to nothing.
void add(const Series& series, std::size_t slot, Gathered& out) {
  const SampleName name = parse_key(series.key);
  GatheredFamily& family = out.families[std::string(name.family)];
  if (!name.bounds.empty() && name.bounds != family.bounds) return;
  std::string labels = series.merge == Merge::Each ? with_worker(name.labels, slot)
                                                   : std::string(name.labels);
  auto& cells = family.samples[std::move(labels)];
  if (cells.empty()) {
    for (const double& cell : series.cells) cells.push_back(read_cell(cell));
  } else if (cells.size() == series.cells.size()) {
    merge_cells(series.merge, series.cells, cells);
  }
}

void declare_all(const SeriesList& list, Gathered& out) {
  std::size_t at = 0;
  while (const auto series = list.next(at)) {
    if (series->merge == Merge::Declaration) declare(*series, out);
  }
}

void add_all(const SeriesList& list, std::size_t slot, Gathered& out) {
  std::size_t at = 0;
  while (const auto series = list.next(at)) {
    if (series->merge != Merge::Declaration) add(*series, slot, out);
  }
  out.series += list.count();
  out.dropped += list.dropped();
}

// Slots that are leased, the youngest last. When each was leased is read once:
// a worker that takes a slot meanwhile must not change the order that is being
// made.
std::vector<std::size_t> leased_slots(const Slab& slab) {
  std::vector<std::pair<Nanos, std::size_t>> by_age;
  const auto slots = slab.slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].state.load(std::memory_order_acquire) == SlotState::Free) continue;
    by_age.emplace_back(slots[i].leased_at.load(std::memory_order_relaxed), i);
  }
  std::ranges::sort(by_age);
  std::vector<std::size_t> leased;
  leased.reserve(by_age.size());
  for (const auto& [leased_at, i] : by_age) leased.push_back(i);
  return leased;
}

}  // namespace

Gathered gather_series(const Slab& slab) {
  Gathered out;
  const std::vector<std::size_t> leased = leased_slots(slab);
  declare_all(slab.base_series(), out);
  for (const std::size_t i : leased) declare_all(slab.series(i), out);
  add_all(slab.base_series(), slab.slots().size(), out);
  for (const std::size_t i : leased) add_all(slab.series(i), i, out);
  return out;
}

Gathered gather_list(const SeriesList& list) {
  Gathered out;
  declare_all(list, out);
  add_all(list, 0, out);
  return out;
}

void write_series(const Gathered& gathered, Exposition& out) {
  for (const auto& [name, family] : gathered.families) {
    if (family.type.empty() || family.samples.empty()) continue;
    out.family(name, family.type, family.help);
    for (const auto& [labels, cells] : family.samples) {
      if (family.type == "histogram" && cells.size() > 1) {
        out.histogram(labels, family.bounds, std::span(cells).first(cells.size() - 1),
                      cells.back());
      } else if (family.type == "summary" && cells.size() == 2) {
        out.sample(labels, cells[0], "_count");
        out.sample(labels, cells[1], "_sum");
      } else if (!cells.empty()) {
        out.sample(labels, cells[0]);
      }
    }
  }
}

std::vector<Place> gather_places(const Slab& slab) {
  std::map<std::string, Place> found;
  const auto add_list = [&found](const SeriesList& list) {
    std::size_t at = 0;
    while (const auto series = list.next(at)) {
      if (series->merge != Merge::Place || series->cells.size() != kPlaceCells)
        continue;
      const SampleName name = parse_key(series->key);
      Place& place = found[std::string(name.family)];
      place.where = name.family;
      place.stack = name.labels;
      place.count += read_cell(series->cells[0]);
      place.seconds += read_cell(series->cells[1]);
      place.longest = std::max(place.longest, read_cell(series->cells[2]));
      place.last = std::max(place.last, read_cell(series->cells[3]));
    }
  };
  add_list(slab.base_places());
  for (std::size_t i = 0; i < slab.slots().size(); ++i) add_list(slab.places(i));
  std::vector<Place> places;
  places.reserve(found.size());
  for (auto& [where, place] : found) places.push_back(std::move(place));
  std::ranges::sort(places, std::ranges::greater{}, &Place::seconds);
  return places;
}

}  // namespace celadon::metrics
