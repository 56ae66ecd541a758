// Where C++ rooms report. The sink decides how and when a line is written; a caller
// only hands it over and never waits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace celadon {

enum class Level : std::uint8_t { Debug, Info, Warning, Error, Critical };

class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void log(Level level, std::string_view line) noexcept = 0;
};

// Bytes a peer sent, made safe for a log line: `"`, `\`, controls and bytes above 0x7e
// become \xHH. At most `limit` input bytes are taken.
std::string escape_for_log(std::string_view bytes, std::size_t limit = 256);

// Appends the same to `out`.
void append_escaped(std::string& out, std::string_view bytes);

}  // namespace celadon
