#include "server/own_lines.h"

#include "http/date.h"

namespace celadon::server {

void OwnLines::renew() noexcept {
  const Nanos wall = loop_.clock().wall();
  const Nanos now = loop_.fresh_now();
  until_ = now + kSecond - wall % kSecond;
  wall_offset_ = wall - now;
  lines_.clear();
  if (settings_.date_header) {
    char date[http::kDateSize];
    http::format_date(wall / kSecond, date);
    lines_.append("Date: ").append(date, sizeof date).append("\r\n");
  }
  date_size_ = lines_.size();
  for (const std::string& line : settings_.response_headers)
    lines_.append(line).append("\r\n");
  until_server_ = lines_.size();
  if (!settings_.server_header.empty()) {
    lines_.append("Server: ").append(settings_.server_header).append("\r\n");
  }
}

}  // namespace celadon::server
