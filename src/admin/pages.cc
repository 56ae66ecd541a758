#include "admin/pages.h"

#include <algorithm>
#include <array>

namespace celadon::admin {
namespace {

constexpr std::string_view kPrefix = "/-/";
constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kJson = "application/json";

// Takes as long whatever the texts are, for as many bytes.
bool equal_in_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned char differs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differs = static_cast<unsigned char>(differs | (a[i] ^ b[i]));
  }
  return differs == 0;
}

std::string_view field_of(const http::Request& request,
                          std::string_view name) noexcept {
  for (const http::Field& field : request.fields) {
    if (http::equals_ignoring_case(request.name(field), name))
      return request.value(field);
  }
  return {};
}

std::string_view bearer_of(const http::Request& request) noexcept {
  const std::string_view value = field_of(request, "authorization");
  return value.starts_with(kBearer) ? value.substr(kBearer.size()) : std::string_view();
}

}  // namespace

void Pages::on_request(server::Exchange& exchange) noexcept {
  const Answer answer = this->answer(exchange);
  const std::array<http::HeaderView, 4> fields{
      {{"Content-Type", answer.type},
       {"Cache-Control", "no-store"},
       {"X-Content-Type-Options", "nosniff"},
       {"WWW-Authenticate", R"(Bearer realm="celadon")"}}};
  http::ResponseHead head;
  head.status = answer.status;
  head.reason = http::reason_phrase(answer.status);
  head.headers = std::span(fields).first(answer.status == 401 ? 4 : 3);
  head.content_length = answer.body.size();
  [[maybe_unused]] const auto sent =
      exchange.send_head(head, answer.body, {}, server::Follows::Nothing);
  exchange.release();
}

Pages::Answer Pages::answer(const server::Exchange& exchange) {
  const std::string_view path = exchange.request().path_text();
  std::string_view name = path;
  if (path.starts_with(kPrefix)) {
    name.remove_prefix(kPrefix.size());
  } else if (path == "/metrics") {
    name.remove_prefix(1);
  } else {
    return Answer{.status = 404, .body = "not found\n"};
  }
  if (!may_see(exchange, name))
    return Answer{.status = 401, .body = "a token is needed\n"};
  const std::string_view method = exchange.method();
  if (method != "GET" && method != "HEAD")
    return Answer{.status = 405, .body = "GET only\n"};
  return page(name, exchange);
}

Pages::Answer Pages::page(std::string_view name, const server::Exchange& exchange) {
  const auto verdict = [](bool good, std::string_view yes, std::string_view no) {
    return Answer{.status = good ? 200 : 503,
                  .body = std::string(good ? yes : no) + "\n"};
  };
  if (name == "live") return verdict(site_.is_live(), "live", "a worker hangs");
  if (name == "ready") return verdict(site_.is_ready(), "ready", "not ready");
  if (name == "startup") return verdict(site_.has_started(), "started", "starting");
  if (name == "metrics") {
    const auto format = metrics::choose_format(field_of(exchange.request(), "accept"));
    return {200, metrics::content_type(format), scraper_.scrape(format)};
  }
  if (name == "health") return {200, kJson, site_.health() + "\n"};
  if (name == "stats") {
    return {
        200, kJson,
        R"({"status":)" + site_.status() + R"(,"slots":)" + site_.workers() + "}\n"};
  }
  return Answer{.status = 404, .body = "not found\n"};
}

bool Pages::may_see(const server::Exchange& exchange,
                    std::string_view name) const noexcept {
  if (std::ranges::find(access_.open, name) != access_.open.end()) return true;
  if (access_.allowed.contains(exchange.connection().peer)) return true;
  return !access_.token.empty() &&
         equal_in_time(bearer_of(exchange.request()), access_.token);
}

}  // namespace celadon::admin
