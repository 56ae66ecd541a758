// The server's own page for a refusal: no byte of the request is in it.
#pragma once

#include <string>
#include <vector>

#include "http/rejection.h"
#include "http/response.h"

namespace celadon::server {

class Page {
 public:
  // `retry_after`: in seconds, for 503.
  Page(http::Rejection why, unsigned retry_after);
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  // A view of this page, with the length of its body.
  [[nodiscard]] http::ResponseHead head() const noexcept;
  [[nodiscard]] const std::string& body() const noexcept { return body_; }

 private:
  int status_;
  std::string body_;
  std::string retry_;
  std::vector<http::HeaderView> fields_;
};

}  // namespace celadon::server
