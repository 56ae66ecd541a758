// Forwarded headers, targets and authorities: no crash, and views stay inside the
// input.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/forwarded.h"
#include "http/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto check = [&](std::string_view part) {
    if (part.empty()) return;
    if (part.data() < bytes.data() || part.data() + part.size() > bytes.data() + size) {
      std::abort();
    }
  };
  for (const auto part : celadon::http::parse_x_forwarded_for(bytes)) check(part);
  for (const auto part : celadon::http::parse_forwarded_for(bytes)) check(part);
  static_cast<void>(celadon::http::is_authority(bytes));
  for (const std::string_view method : {"GET", "OPTIONS", "CONNECT"}) {
    celadon::http::Target target;
    const auto why = celadon::http::parse_target(method, bytes, target);
    if (why != celadon::http::Rejection::None) continue;
    std::string decoded;
    celadon::http::percent_decode(target.path, decoded);
    if (decoded.find('\0') != std::string::npos || decoded.size() > size + 1)
      std::abort();
  }
  return 0;
}
