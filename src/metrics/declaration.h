// What a family of series is, as text that lies among them: NAME, TYPE, HELP and, of a
// histogram, its upper bounds as they are printed with commas between; zero bytes
// between all.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace celadon::metrics {

struct Declaration {
  std::string_view name;
  std::string_view type;  // counter, gauge, histogram, summary
  std::string_view help;
  std::string_view bounds;
};

[[nodiscard]] std::string to_text(const Declaration& declaration);
[[nodiscard]] std::optional<Declaration> parse_declaration(
    std::string_view text) noexcept;

// NAME and labels of a sample's key, and the bounds that its cells were counted by
// where a family may be declared again with others.
struct SampleName {
  std::string_view family;
  std::string_view labels;
  std::string_view bounds;
};
[[nodiscard]] SampleName parse_key(std::string_view key) noexcept;

// `name="value"`, as it stands between the braces; behind a comma where `out` has some.
// Values are cut at kLongestLabel bytes.
inline constexpr std::size_t kLongestLabel = 128;
void append_label(std::string& out, std::string_view name, std::string_view value);
// For the text of help, and for values of labels.
void append_escaped(std::string& out, std::string_view text, bool quotes);

}  // namespace celadon::metrics
