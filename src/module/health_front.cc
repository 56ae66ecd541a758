#include "module/health_front.h"

#include <algorithm>
#include <array>

namespace celadon::module {

HealthFront::HealthFront(Paths paths, server::Server& server, const metrics::Slab* slab,
                         const std::atomic<Nanos>& fit_until, Nanos timeout) noexcept
    : paths_(std::move(paths)), server_(server), fit_until_(fit_until) {
  if (slab) site_.emplace(*slab, clock_, timeout, server.settings().queue_depth);
}

bool HealthFront::take(server::Exchange& exchange) noexcept {
  const std::string_view path = exchange.request().path_text();
  const auto found =
      std::ranges::find(paths_, path, &std::pair<std::string, std::string>::first);
  const std::string_view method = exchange.method();
  if (found == paths_.end() || (method != "GET" && method != "HEAD")) return false;
  const bool good = verdict(found->second);
  const std::string body = found->second + (good ? ": yes\n" : ": no\n");
  const std::array<http::HeaderView, 2> fields{
      {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}}};
  http::ResponseHead head;
  head.status = good ? 200 : 503;
  head.reason = http::reason_phrase(head.status);
  head.headers = fields;
  head.content_length = body.size();
  [[maybe_unused]] const auto sent =
      exchange.send_head(head, body, {}, server::Part::Last);
  exchange.release();
  return true;
}

bool HealthFront::verdict(std::string_view question) noexcept {
  if (site_) return site_->verdict(question).value_or(false);
  if (question != "ready") return true;
  const Nanos until = fit_until_.load(std::memory_order_relaxed);
  return !server_.draining() && (until == 0 || clock_.now() < until);
}

}  // namespace celadon::module
