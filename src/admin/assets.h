// The dashboard's files, which the build takes from src/admin/assets.
#pragma once

#include <string_view>

namespace celadon::admin {

struct Asset {
  std::string_view name;  // within /-/
  std::string_view type;
  std::string_view text;
};

// Null where there is no such file.
[[nodiscard]] const Asset* find_asset(std::string_view name) noexcept;

}  // namespace celadon::admin
