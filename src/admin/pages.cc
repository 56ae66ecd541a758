#include "admin/pages.h"

#include <algorithm>
#include <array>
#include <utility>

#include "admin/assets.h"
#include "admin/gzip.h"
#include "admin/plain.h"

namespace celadon::admin {
namespace {

constexpr std::string_view kPrefix = "/-/";
constexpr std::string_view kControl = "control/";
// A page of another site can send a form, but not this field.
constexpr std::string_view kControlField = "x-celadon-control";

// What may be asked for by POST /-/control/..., as `celadon ctl` has it.
constexpr std::array<std::string_view, 6> kDeeds{
    "reload", "reopen", "drain", "drain off", "workers add", "workers remove"};

// What others than the slab know.
constexpr std::array<std::string_view, 2> kAsked{"stacks", "config"};

Answer refusal(int status, std::string_view text) {
  return {.status = status, .type = kText, .body = std::string(text) + "\n"};
}

// What the address alone leads to: the first page.
constexpr std::string_view kAbove = "/";

// "nothing" where there is no such page.
std::string_view name_of(std::string_view path) noexcept {
  if (path == "/metrics") return "metrics";
  if (path == "/" || path == "/-") return kAbove;
  if (path.starts_with(kPrefix)) return path.substr(kPrefix.size());
  return "nothing";
}

}  // namespace

Pages::Pages(loop::Loop& loop, const Site& site, Scraper& scraper, Actions& actions,
             Access access) noexcept
    : site_(site),
      scraper_(scraper),
      access_(std::move(access)),
      waiting_(loop, actions),
      events_(loop, [this] { return scraper_.snapshot(); }) {}

void Pages::on_request(server::Exchange& exchange) noexcept {
  const std::string_view name = name_of(exchange.request().path_text());
  if (!access_.may_see(exchange, name)) {
    const bool own = is_own_host(field_of(exchange.request(), "host"));
    return send_answer(exchange,
                       own ? refusal(401, "a token is needed")
                           : refusal(421, "no such host here: use an address"));
  }
  const std::string_view method = exchange.method();
  if (method == "POST" && name.starts_with(kControl))
    return control(exchange, name.substr(kControl.size()));
  if (method != "GET" && method != "HEAD")
    return send_answer(exchange, refusal(405, "GET only"));
  answer(exchange, name);
}

void Pages::answer(server::Exchange& exchange, std::string_view name) noexcept {
  if (std::ranges::find(kAsked, name) != kAsked.end())
    return waiting_.ask(exchange, name);
  if (name == "events") {
    if (!events_.add(exchange)) send_answer(exchange, refusal(503, "too many listen"));
    return;
  }
  send_answer(exchange, page(exchange, name));
}

void Pages::control(server::Exchange& exchange, std::string_view name) noexcept {
  std::string words(name);
  std::ranges::replace(words, '/', ' ');
  if (!access_.control)
    return send_answer(exchange, refusal(403, "admin_control is off"));
  if (field_of(exchange.request(), kControlField).empty())
    return send_answer(exchange,
                       refusal(403, "the field X-Celadon-Control is missing"));
  if (std::ranges::find(kDeeds, words) == kDeeds.end())
    return send_answer(exchange, refusal(404, "no such deed"));
  waiting_.ask(exchange, words);
}

Answer Pages::scrape(const http::Request& request) {
  const auto format = metrics::choose_format(field_of(request, "accept"));
  Answer answer{.type = metrics::content_type(format),
                .body = scraper_.scrape(format),
                .vary = "Accept, Accept-Encoding"};
  if (!takes_gzip(field_of(request, "accept-encoding"))) return answer;
  if (auto zipped = gzip(answer.body)) {
    answer.body = std::move(*zipped);
    answer.zipped = true;
  }
  return answer;
}

Answer Pages::page(const server::Exchange& exchange, std::string_view name) {
  if (const auto good = site_.verdict(name)) {
    return refusal(*good ? 200 : 503, std::string(name) + (*good ? ": yes" : ": no"));
  }
  if (name == "metrics") return scrape(exchange.request());
  if (name == "health") return {.type = kJson, .body = site_.health() + "\n"};
  if (name == "stats") return {.type = kJson, .body = scraper_.snapshot() + "\n"};
  if (name == "text") return {.body = describe_plainly(site_)};
  if (name == "may") {
    return {.type = kJson,
            .body = access_.control ? R"({"control":true})" : R"({"control":false})"};
  }
  if (const Asset* asset = find_asset(name)) {
    return {.type = asset->type, .body = std::string(asset->text), .cache = "no-cache"};
  }
  if (name == kAbove) {
    Answer answer = refusal(307, kPrefix);
    answer.location = kPrefix;
    return answer;
  }
  return refusal(404, "not found");
}

}  // namespace celadon::admin
