#include "tls/openssl.h"

#include <openssl/err.h>

namespace celadon::tls {

// The first is the cause; what follows is who passed it on.
std::string take_failure() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "reason " + std::to_string(ERR_GET_REASON(code));
}

}  // namespace celadon::tls
