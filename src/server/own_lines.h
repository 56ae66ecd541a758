// Field lines that the server adds to answers: Date, those of the settings, Server.
// Rendered once a second.
#pragma once

#include <string>
#include <string_view>

#include "loop/loop.h"
#include "server/settings.h"

namespace celadon::server {

class OwnLines {
 public:
  OwnLines(loop::Loop& loop, const Settings& settings) noexcept
      : loop_(loop), settings_(settings) {}

  // Without a Date and a Server that the application has set itself.
  [[nodiscard]] std::string_view get(bool has_date, bool has_server) noexcept {
    if (loop_.now() >= until_) renew();
    std::string_view lines = lines_;
    if (has_server) lines = lines.substr(0, until_server_);
    if (has_date) lines.remove_prefix(date_size_);
    return lines;
  }
  // From the loop's clock to the wall's.
  [[nodiscard]] Nanos wall_offset() noexcept {
    if (loop_.now() >= until_) renew();
    return wall_offset_;
  }
  void renew() noexcept;

 private:
  loop::Loop& loop_;
  const Settings& settings_;
  std::string lines_;
  std::size_t date_size_ = 0;
  std::size_t until_server_ = 0;
  Nanos until_ = 0;  // loop time at which the second is over
  Nanos wall_offset_ = 0;
};

}  // namespace celadon::server
