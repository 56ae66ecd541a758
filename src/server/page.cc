#include "server/page.h"

namespace celadon::server {

Page::Page(http::Rejection why, unsigned retry_after)
    : status_(http::rejection_info(why).status),
      body_(http::rejection_info(why).text),
      fields_{{"Content-Type", "text/plain; charset=utf-8"}} {
  body_ += '\n';
  if (status_ == 503) {
    retry_ = std::to_string(retry_after);
    fields_.push_back({"Retry-After", retry_});
  }
  if (status_ == 405) {
    fields_.push_back({"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"});
  }
}

http::ResponseHead Page::head() const noexcept {
  http::ResponseHead head;
  head.status = status_;
  head.reason = http::reason_phrase(status_);
  head.headers = fields_;
  head.content_length = body_.size();
  return head;
}

}  // namespace celadon::server
