// One scrape: all metrics of the server as text, from the slab and /proc alone.
#pragma once

#include <string>
#include <unordered_map>

#include "admin/site.h"
#include "base/histogram.h"
#include "metrics/gather.h"
#include "metrics/rows.h"

namespace celadon::admin {

class Scraper {
 public:
  // `build`: the labels of celadon_build_info, as they are printed.
  Scraper(const Site& site, metrics::Catalogue catalogue, std::string build) noexcept
      : site_(site), catalogue_(std::move(catalogue)), build_(std::move(build)) {}

  [[nodiscard]] std::string scrape(metrics::Format format);
  // The same for people: admin/snapshot.h.
  [[nodiscard]] std::string snapshot() const;

 private:
  void write_backlogs(metrics::Exposition& out) const;
  void write_workers(metrics::Exposition& out) const;
  void write_processes(metrics::Exposition& out);
  void steady(metrics::Gathered& gathered);
  void write_self(const metrics::Gathered& gathered, metrics::Exposition& out) const;

  const Site& site_;
  const metrics::Catalogue catalogue_;
  const std::string build_;
  Histogram<kLagBounds> took_;
  std::unordered_map<std::string, double> shown_;  // sums that are no whole numbers
  double cpu_ = 0;  // seconds of all processes, as they were shown last
};

}  // namespace celadon::admin
