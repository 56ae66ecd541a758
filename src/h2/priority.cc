#include "h2/priority.h"

#include "http/headers.h"

namespace celadon::h2 {
namespace {

void read_member(std::string_view member, Priority& priority) noexcept {
  member = http::trim_ows(member.substr(0, member.find(';')));  // without parameters
  if (member.size() == 3 && member.starts_with("u=") && member[2] >= '0' &&
      member[2] <= '7') {
    priority.urgency = static_cast<std::uint8_t>(member[2] - '0');
  } else if (member == "i" || member == "i=?1") {
    priority.incremental = true;
  } else if (member == "i=?0") {
    priority.incremental = false;
  }
}

}  // namespace

Priority parse_priority(std::string_view value) noexcept {
  Priority priority;
  http::for_each_element(
      value, [&priority](std::string_view member) { read_member(member, priority); });
  return priority;
}

}  // namespace celadon::h2
