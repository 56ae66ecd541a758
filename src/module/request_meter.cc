#include "module/request_meter.h"

#include <algorithm>

#include "metrics/declaration.h"
#include "module/catalogue.h"

namespace celadon::module {
namespace {

constexpr std::string_view kOther =
    R"(http_request_method="_other",url_scheme="_other",)"
    R"(http_response_status_code="_other",http_route="_other",)"
    R"(network_protocol_version="_other",error_type="_other")";

// OpenTelemetry's error.type: of answers that are no fault of the client's.
std::string error_of(const server::Exchange& x) {
  if (x.gone()) return "client_disconnected";
  return x.status() >= 500 ? std::to_string(x.status()) : "";
}

// To a microsecond, in a fraction that is exact: a sum of such is the same in any
// order, so that it does not go back when a worker is gone and its part is added
// elsewhere.
double to_exact_seconds(Nanos nanos) noexcept {
  constexpr std::int64_t kParts = 1 << 20;  // of a second
  const Nanos whole = nanos / kSecond * kParts;
  const Nanos rest = (nanos % kSecond * kParts + kSecond / 2) / kSecond;
  return static_cast<double>(whole + rest) / kParts;
}

std::string labels_of(const server::Exchange& x, std::string_view route) {
  std::string text;
  metrics::append_label(text, "http_request_method",
                        http::kMethodNames[static_cast<std::size_t>(x.counted_as)]);
  metrics::append_label(text, "url_scheme", x.carrier.tls ? "https" : "http");
  metrics::append_label(text, "http_response_status_code", std::to_string(x.status()));
  if (!route.empty()) metrics::append_label(text, "http_route", route);
  metrics::append_label(text, "network_protocol_version",
                        http::version_text(x.carrier.version));
  const std::string error = error_of(x);
  if (!error.empty()) metrics::append_label(text, "error_type", error);
  return text;
}

}  // namespace

RequestMeter::RequestMeter(metrics::SeriesWriter& series, metrics::TextRing slow,
                           Hints hints, std::vector<std::uint64_t> bounds) noexcept
    : series_(series),
      slow_(slow),
      hints_(std::move(hints)),
      bounds_(std::move(bounds)) {
  series_.declare(declare_request_duration(bounds_));
}

RequestMeter::Route& RequestMeter::route_of(std::string_view name) noexcept {
  if (name.empty()) return unnamed_;
  const auto found = routes_.find(name);
  if (found != routes_.end()) return found->second;
  // Only as many as there is room for; the others are one to us as well.
  constexpr std::size_t kMost = 10'000;
  if (routes_.size() >= kMost) return unnamed_;
  return routes_[std::string(name)];
}

double* RequestMeter::find(const server::Exchange& x, Kind kind,
                           std::string_view name) noexcept {
  Route& route = route_of(name);
  if (&route == &unnamed_) name = {};
  const auto known =
      std::ranges::find(route.series, kind, &std::pair<Kind, double*>::first);
  if (known != route.series.end()) return known->second;
  const auto made = series_.find(kRequestDuration, labels_of(x, name),
                                 metrics::Merge::Sum, cells(), kOther);
  double* const first = made.empty() ? nullptr : made.data();
  route.series.emplace_back(kind, first);
  return first;
}

void RequestMeter::on_finished(const server::Finished& request) noexcept {
  hints_.add(request);
  const server::Exchange& x = request.exchange;
  const auto method = static_cast<Kind>(x.counted_as);
  static_assert(http::kMethods <= 32);
  const Kind kind = static_cast<Kind>(x.status()) << 8 |
                    static_cast<Kind>(x.carrier.tls) << 7 | method << 2 |
                    static_cast<Kind>(x.gone()) << 1 | (x.carrier.is_http10() ? 1 : 0);
  double* const found = find(x, kind, x.route());
  if (!found) return;
  const auto nanos = static_cast<std::uint64_t>(request.duration);
  // Most are below the first.
  const auto at = !bounds_.empty() && nanos <= bounds_.front()
                      ? bounds_.begin()
                      : std::ranges::lower_bound(bounds_, nanos);
  found[at - bounds_.begin()] += 1;
  found[cells() - 1] += to_exact_seconds(request.duration);
}

void RequestMeter::on_slow(std::string_view description) noexcept {
  SystemClock clock;
  slow_.put(description, static_cast<double>(clock.wall()) / kSecond);
}

}  // namespace celadon::module
