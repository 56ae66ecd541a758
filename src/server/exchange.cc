#include "server/exchange.h"

#include <unistd.h>

#include <memory>
#include <utility>

namespace celadon::server {

Exchange::~Exchange() {
  if (spool_ >= 0) ::close(spool_);
}

void Exchange::reset(Channel& channel, Connection& connection) noexcept {
  constexpr std::size_t kKept = 4096;
  http::Request request = std::move(request_);
  std::string head = std::move(head_);
  request.clear();
  head.clear();
  if (head.capacity() > kKept) head = {};
  std::destroy_at(this);
  std::construct_at(this);
  request_ = std::move(request);
  head_ = std::move(head);
  channel_ = &channel;
  connection_ = &connection;
}

void Exchange::consume_body(std::size_t n) noexcept {
  body_at_ += n;
  if (body_at_ == body_.size()) {
    body_.clear();
    body_at_ = 0;
  }
}

}  // namespace celadon::server
