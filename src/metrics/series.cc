#include "metrics/series.h"

#include <algorithm>
#include <cstring>

namespace celadon::metrics {
namespace {

constexpr std::size_t round_up(std::size_t n) noexcept {
  return (n + 7) & ~std::size_t{7};
}

}  // namespace

void merge_cells(Merge merge, std::span<const double> from,
                 std::span<double> to) noexcept {
  const auto each = [&](auto combine) {
    for (std::size_t i = 0; i < to.size() && i < from.size(); ++i) {
      to[i] = combine(to[i], read_cell(from[i]));
    }
  };
  switch (merge) {
    case Merge::Sum:
    case Merge::LiveSum: return each([](double a, double b) { return a + b; });
    case Merge::Max: return each([](double a, double b) { return std::max(a, b); });
    case Merge::Min: return each([](double a, double b) { return std::min(a, b); });
    case Merge::Recent:
      if (to.size() == 2 && from.size() == 2 && read_cell(from[1]) >= to[1])
        each([](double, double b) { return b; });
      return;
    case Merge::Place:
      if (to.size() != kPlaceCells || from.size() != kPlaceCells) return;
      to[0] += read_cell(from[0]);
      to[1] += read_cell(from[1]);
      to[2] = std::max(to[2], read_cell(from[2]));
      to[3] = std::max(to[3], read_cell(from[3]));
      return;
    case Merge::Each:
    case Merge::Declaration: return;
  }
}

double* SeriesList::append(Merge merge, std::string_view key,
                           std::size_t cells) noexcept {
  const std::size_t used = header_->used.load(std::memory_order_relaxed);
  const std::size_t size =
      sizeof(Entry) + round_up(key.size()) + cells * sizeof(double);
  if (cells > UINT16_MAX || used + size > room()) return nullptr;
  std::byte* at = entries() + used;
  const Entry entry{.size = static_cast<std::uint32_t>(size),
                    .merge = merge,
                    .unused = 0,
                    .cells = static_cast<std::uint16_t>(cells),
                    .key = static_cast<std::uint32_t>(key.size()),
                    .unused_too = 0};
  std::memcpy(at, &entry, sizeof entry);
  std::memcpy(at + sizeof entry, key.data(), key.size());
  auto* values = reinterpret_cast<double*>(at + sizeof entry + round_up(key.size()));
  std::fill_n(values, cells, 0.0);
  if (merge != Merge::Declaration) header_->count.fetch_add(1);
  header_->used.store(static_cast<std::uint32_t>(used + size),
                      std::memory_order_release);
  return values;
}

void SeriesList::clear() noexcept {
  header_->used.store(0, std::memory_order_release);
  header_->count.store(0, std::memory_order_relaxed);
  header_->dropped.store(0, std::memory_order_relaxed);
}

std::optional<Series> SeriesList::next(std::size_t& at) const noexcept {
  const std::size_t used =
      std::min<std::size_t>(header_->used.load(std::memory_order_acquire), room());
  if (at + sizeof(Entry) > used) return std::nullopt;
  Entry entry;
  std::memcpy(&entry, entries() + at, sizeof entry);
  const std::size_t key = round_up(entry.key);
  const std::size_t size = sizeof entry + key + entry.cells * sizeof(double);
  if (entry.size != size || at + size > used) return std::nullopt;
  const std::byte* begin = entries() + at + sizeof entry;
  at += size;
  return Series{entry.merge,
                {reinterpret_cast<const char*>(begin), entry.key},
                {reinterpret_cast<const double*>(begin + key), entry.cells}};
}

void SeriesWriter::declare(std::string_view declaration) noexcept {
  if (index_.contains(std::string(declaration))) return;
  if (list_.append(Merge::Declaration, declaration, 0)) {
    index_.emplace(declaration, std::span<double>());
  }
}

std::span<double> SeriesWriter::find_key(std::string_view key, Merge merge,
                                         std::size_t cells) noexcept {
  std::string name(key);
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  if (list_.count() >= most_) return {};
  double* made = list_.append(merge, key, cells);
  if (!made) return {};
  return index_.emplace(std::move(name), std::span(made, cells)).first->second;
}

std::span<double> SeriesWriter::find(std::string_view family, std::string_view labels,
                                     Merge merge, std::size_t cells,
                                     std::string_view other) noexcept {
  std::string key(family);
  key.push_back('\0');
  key.append(labels);
  const auto found = find_key(key, merge, cells);
  if (!found.empty()) return found;
  list_.add_dropped(1);
  key.resize(family.size() + 1);
  key.append(other);
  if (const auto known = index_.find(key); known != index_.end()) return known->second;
  double* made = list_.append(merge, key, cells);
  if (!made) return {};
  return index_.emplace(std::move(key), std::span(made, cells)).first->second;
}

std::span<double> SeriesWriter::find_first(std::string_view family,
                                           std::string_view labels, Merge merge,
                                           std::size_t cells) noexcept {
  std::string name(family);
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  std::string key = name;
  key.push_back('\0');
  key.append(labels);
  double* made = list_.count() < most_ ? list_.append(merge, key, cells) : nullptr;
  if (!made) {
    list_.add_dropped(1);
    return {};
  }
  return index_.emplace(std::move(name), std::span(made, cells)).first->second;
}

void SeriesWriter::take(const Series& series) noexcept {
  if (series.merge == Merge::Declaration) return declare(series.key);
  const bool is_new = !index_.contains(std::string(series.key));
  const auto cells = find_key(series.key, series.merge, series.cells.size());
  if (cells.size() != series.cells.size()) return list_.add_dropped(1);
  if (is_new) {
    for (std::size_t i = 0; i < cells.size(); ++i)
      cells[i] = read_cell(series.cells[i]);
  } else {
    merge_cells(series.merge, series.cells, cells);
  }
}

// Gauges of a process that is gone say nothing, but for the last word on something.
void SeriesWriter::take_over(const SeriesList& gone) noexcept {
  std::size_t at = 0;
  while (const auto series = gone.next(at)) {
    switch (series->merge) {
      case Merge::Declaration:
      case Merge::Sum:
      case Merge::Recent:
      case Merge::Place: take(*series); break;
      default: break;
    }
  }
  list_.add_dropped(gone.dropped());
}

void SeriesWriter::adopt(const SeriesList& own) noexcept {
  std::size_t at = 0;
  while (const auto series = own.next(at)) take(*series);
  list_.add_dropped(own.dropped());
}

}  // namespace celadon::metrics
