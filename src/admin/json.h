// JSON as text, written in order. Nothing here reads it.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace celadon::admin {

// One object or array at a time:
//   Json json; json.open('{'); json.key("a").value(1); json.close('}');
class Json {
 public:
  Json& open(char bracket) noexcept;
  Json& close(char bracket) noexcept;
  Json& key(std::string_view name) noexcept;
  Json& value(std::string_view text) noexcept;
  Json& value(const char* text) noexcept { return value(std::string_view(text)); }
  Json& value(bool flag) noexcept { return raw(flag ? "true" : "false"); }
  Json& value(std::integral auto number) noexcept {
    return raw(std::to_string(number));
  }
  Json& number(double value) noexcept;  // null where it is none
  // Text that is JSON already.
  Json& raw(std::string_view text) noexcept;

  [[nodiscard]] std::string take() noexcept { return std::move(text_); }

 private:
  void separate() noexcept;
  std::string text_;
  bool needs_comma_ = false;
};

// `{"ok":false,"error":...}`
[[nodiscard]] std::string failure(std::string_view why);
[[nodiscard]] std::string success();

}  // namespace celadon::admin
