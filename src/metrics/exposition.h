// Metrics as text, for Prometheus to read: its own format 0.0.4, or OpenMetrics 1.0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace celadon::metrics {

enum class Format : std::uint8_t { Prometheus, OpenMetrics };

[[nodiscard]] std::string_view content_type(Format format) noexcept;
// That which the field Accept asks for.
[[nodiscard]] Format choose_format(std::string_view accept) noexcept;

class Exposition {
 public:
  explicit Exposition(Format format) noexcept : format_(format) {}

  // Begins a family; its samples follow. A counter's name ends in `_total`.
  void family(std::string_view name, std::string_view type, std::string_view help);
  // `labels`: as they are printed, without braces.
  void sample(std::string_view labels, double value, std::string_view suffix = {});
  // `bounds` as they are printed, with commas between; `counts` has one more, and is
  // not cumulative.
  void histogram(std::string_view labels, std::string_view bounds,
                 std::span<const double> counts, double sum);
  [[nodiscard]] std::string take() noexcept;

 private:
  void line(std::string_view suffix, std::string_view labels, std::string_view more,
            double value);
  const Format format_;
  std::string name_;
  std::string text_;
};

// The shortest text that reads as the same number.
void append_number(std::string& out, double value);

}  // namespace celadon::metrics
