// Requests by method, status and route: the histogram of their durations in the slab.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "metrics/series.h"
#include "metrics/text_ring.h"
#include "module/hints.h"
#include "server/meter.h"

namespace celadon::module {

class RequestMeter final : public server::Meter {
 public:
  // `slow`: where slow requests are described.
  // `bounds`: of the histogram's buckets, in nanoseconds.
  RequestMeter(metrics::SeriesWriter& series, metrics::TextRing slow, Hints hints,
               std::vector<std::uint64_t> bounds) noexcept;

  void on_finished(const server::Finished& request) noexcept override;
  void on_slow(std::string_view description) noexcept override;

 private:
  // What distinguishes the series of one route, in a number.
  using Kind = std::uint32_t;
  struct Route {
    std::vector<std::pair<Kind, double*>> series;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  [[nodiscard]] Route& route_of(std::string_view name) noexcept;
  [[nodiscard]] double* find(const server::Exchange& x, Kind kind,
                             std::string_view route) noexcept;

  // One for each bound, one for what is above them all, and the sum.
  [[nodiscard]] std::size_t cells() const noexcept { return bounds_.size() + 2; }

  metrics::SeriesWriter& series_;
  metrics::TextRing slow_;
  Hints hints_;
  const std::vector<std::uint64_t> bounds_;
  Route unnamed_;
  std::unordered_map<std::string, Route, Hash, std::equal_to<>> routes_;
};

}  // namespace celadon::module
