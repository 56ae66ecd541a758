#include "server/exchange.h"

#include <unistd.h>

namespace celadon::server {

Exchange::~Exchange() {
  if (spool_ >= 0) ::close(spool_);
}

void Exchange::consume_body(std::size_t n) noexcept {
  body_at_ += n;
  if (body_at_ == body_.size()) {
    body_.clear();
    body_at_ = 0;
  }
}

}  // namespace celadon::server
