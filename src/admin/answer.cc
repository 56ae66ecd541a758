#include "admin/answer.h"

#include <vector>

namespace celadon::admin {
namespace {

// Nothing from elsewhere, no script in the page itself, in nobody's frame.
constexpr std::string_view kPolicy =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

void send_answer(server::Exchange& exchange, const Answer& answer) noexcept {
  std::vector<http::HeaderView> fields{{"Content-Type", answer.type},
                                       {"Cache-Control", answer.cache},
                                       {"X-Content-Type-Options", "nosniff"},
                                       {"Content-Security-Policy", kPolicy},
                                       {"Referrer-Policy", "no-referrer"}};
  if (answer.status == 401) {
    fields.push_back({"WWW-Authenticate", R"(Bearer realm="celadon")"});
    fields.push_back({"WWW-Authenticate", R"(Basic realm="celadon", charset="UTF-8")"});
  }
  if (!answer.location.empty()) fields.push_back({"Location", answer.location});
  if (!answer.vary.empty()) fields.push_back({"Vary", answer.vary});
  if (answer.zipped) fields.push_back({"Content-Encoding", "gzip"});
  http::ResponseHead head;
  head.status = answer.status;
  head.reason = http::reason_phrase(answer.status);
  head.headers = fields;
  head.content_length = answer.body.size();
  [[maybe_unused]] const auto sent =
      exchange.send_head(head, answer.body, {}, server::Part::Last);
  exchange.release();
}

std::string_view field_of(const http::Request& request,
                          std::string_view name) noexcept {
  for (const http::Field& field : request.fields) {
    if (http::equals_ignoring_case(request.name(field), name))
      return request.value(field);
  }
  return {};
}

}  // namespace celadon::admin
