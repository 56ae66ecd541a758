#include "server/exchange.h"

#include "server/spool.h"

namespace celadon::server {

Exchange::~Exchange() {
  if (spool_ >= 0) close_spool(spool_);
}

void Exchange::reset(Channel& channel, Connection& connection) noexcept {
  constexpr std::size_t kKept = 4096;
  if (spool_ >= 0) close_spool(spool_);
  static_cast<ExchangeState&>(*this) = {};
  channel_ = &channel;
  connection_ = &connection;
  request_.clear();
  head_.clear();
  if (head_.capacity() > kKept) head_ = {};
  body_.clear();
  route_.clear();
  logged_headers_.clear();
  logged_environ_.clear();
  identity_.clear();
}

void Exchange::consume_body(std::size_t n) noexcept {
  body_at_ += n;
  if (body_at_ == body_.size()) {
    body_.clear();
    body_at_ = 0;
  }
}

}  // namespace celadon::server
