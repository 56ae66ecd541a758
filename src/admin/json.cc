#include "admin/json.h"

#include <cmath>

#include "base/quoted.h"
#include "metrics/exposition.h"

namespace celadon::admin {

void Json::separate() noexcept {
  if (needs_comma_) text_ += ',';
  needs_comma_ = true;
}

Json& Json::open(char bracket) noexcept {
  separate();
  text_ += bracket;
  needs_comma_ = false;
  return *this;
}

Json& Json::close(char bracket) noexcept {
  text_ += bracket;
  needs_comma_ = true;
  return *this;
}

Json& Json::key(std::string_view name) noexcept {
  separate();
  append_quoted(text_, name);
  text_ += ':';
  needs_comma_ = false;
  return *this;
}

Json& Json::value(std::string_view text) noexcept {
  separate();
  append_quoted(text_, text);
  return *this;
}

Json& Json::number(double value) noexcept {
  if (!std::isfinite(value)) return raw("null");
  std::string text;
  metrics::append_number(text, value);
  return raw(text);
}

Json& Json::raw(std::string_view text) noexcept {
  separate();
  text_ += text;
  return *this;
}

std::string failure(std::string_view why) {
  Json json;
  json.open('{').key("ok").value(false).key("error").value(why).close('}');
  return json.take();
}

std::string success() {
  return R"({"ok":true})";
}

}  // namespace celadon::admin
