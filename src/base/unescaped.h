// ASCII text with escapes, as people read it.
#pragma once

#include <string>
#include <string_view>

namespace celadon {

// Undoes what faulthandler does to names of files and functions: `\xfc`, `\u20ac` and
// `\U0001f680` become UTF-8. All else stays, a surrogate (a byte that was no text) too.
[[nodiscard]] std::string unescaped(std::string_view text);

}  // namespace celadon
