// A PROXY header: no prefix of an accepted one is judged bad, and sizes are bounded.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/proxy_protocol.h"

using celadon::net::ProxyMode;
using celadon::net::ProxyResult;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto mode : {ProxyMode::V1, ProxyMode::V2, ProxyMode::Auto}) {
    const auto result = celadon::net::parse_proxy_header(bytes, mode);
    if (result.step != ProxyResult::Step::Done) continue;
    if (result.consumed > size || result.consumed > celadon::net::kProxyV2Limit)
      std::abort();
    for (std::size_t n = 0; n < result.consumed; ++n) {
      const auto part = celadon::net::parse_proxy_header(bytes.substr(0, n), mode);
      if (part.step != ProxyResult::Step::NeedMore) std::abort();
    }
  }
  return 0;
}
