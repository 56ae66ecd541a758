#include "admin/json.h"

namespace celadon::admin {

void append_quoted(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out += '"';
}

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
