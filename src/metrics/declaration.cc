#include "metrics/declaration.h"

namespace celadon::metrics {
namespace {

std::string_view take_field(std::string_view& text) noexcept {
  const std::size_t end = text.find('\0');
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return field;
}

// Not within a character of several bytes.
std::string_view cut(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most);
}

}  // namespace

std::string to_text(const Declaration& declaration) {
  std::string text;
  for (const std::string_view field :
       {declaration.name, declaration.type, declaration.help, declaration.bounds}) {
    for (const char c : field) text += c == '\0' ? ' ' : c;
    text += '\0';
  }
  text.pop_back();
  return text;
}

std::optional<Declaration> parse_declaration(std::string_view text) noexcept {
  Declaration found;
  found.name = take_field(text);
  found.type = take_field(text);
  found.help = take_field(text);
  found.bounds = take_field(text);
  if (found.name.empty() || found.type.empty()) return std::nullopt;
  return found;
}

SampleName parse_key(std::string_view key) noexcept {
  SampleName name;
  name.family = take_field(key);
  name.labels = take_field(key);
  name.bounds = key;
  return name;
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ',';
  out.append(name).append("=\"");
  append_escaped(out, cut(value, kLongestLabel), true);
  out += '"';
}

}  // namespace celadon::metrics
