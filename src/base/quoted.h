// Text as a JSON string.
#pragma once

#include <string>
#include <string_view>

namespace celadon {

// Appends `text` with quotes. What is no printable ASCII is escaped, characters of
// UTF-8 as such and all else byte by byte, so that the result is valid and one line
// whatever the bytes are.
void append_quoted(std::string& out, std::string_view text);

}  // namespace celadon
