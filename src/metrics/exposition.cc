#include "metrics/exposition.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "metrics/declaration.h"

namespace celadon::metrics {

std::string_view content_type(Format format) noexcept {
  return format == Format::OpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

// Whoever knows OpenMetrics says so, and then prefers it.
Format choose_format(std::string_view accept) noexcept {
  return accept.find("application/openmetrics-text") == accept.npos
             ? Format::Prometheus
             : Format::OpenMetrics;
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    out.append(text, static_cast<std::size_t>(end - text));
  }
}

void Exposition::family(std::string_view name, std::string_view type,
                        std::string_view help) {
  name_ = name;
  std::string_view shown = name;
  constexpr std::string_view kTotal = "_total";
  if (format_ == Format::OpenMetrics && type == "counter" && shown.ends_with(kTotal)) {
    shown.remove_suffix(kTotal.size());
  }
  text_.append("# HELP ").append(shown).append(" ");
  append_escaped(text_, help, format_ == Format::OpenMetrics);
  text_.append("\n# TYPE ").append(shown).append(" ").append(type).append("\n");
}

void Exposition::line(std::string_view suffix, std::string_view labels,
                      std::string_view more, double value) {
  text_.append(name_).append(suffix);
  if (!labels.empty() || !more.empty()) {
    text_.append("{").append(labels);
    if (!labels.empty() && !more.empty()) text_ += ',';
    text_.append(more).append("}");
  }
  text_ += ' ';
  append_number(text_, value);
  text_ += '\n';
}

void Exposition::sample(std::string_view labels, double value,
                        std::string_view suffix) {
  line(suffix, labels, {}, value);
}

void Exposition::histogram(std::string_view labels, std::string_view bounds,
                           std::span<const double> counts, double sum) {
  double below = 0;
  for (const double count : counts) {
    below += count;
    const std::size_t end = bounds.find(',');
    std::string_view bound = bounds.substr(0, end);
    bounds.remove_prefix(end == bounds.npos ? bounds.size() : end + 1);
    if (bound.empty()) bound = "+Inf";
    line("_bucket", labels, std::string(R"(le=")").append(bound).append("\""), below);
  }
  line("_sum", labels, {}, sum);
  line("_count", labels, {}, below);
}

std::string Exposition::take() noexcept {
  if (format_ == Format::OpenMetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace celadon::metrics
