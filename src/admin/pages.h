// The admin listener's pages. They answer from the slab alone, whatever workers do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "admin/scrape.h"
#include "admin/site.h"
#include "net/address.h"
#include "server/exchange.h"

namespace celadon::admin {

struct Access {
  std::string token;              // empty: none is asked for
  net::Networks allowed;          // peers that need none
  std::vector<std::string> open;  // pages that are for everyone: live, ready ...
};

class Pages final : public server::App {
 public:
  Pages(const Site& site, Scraper& scraper, Access access) noexcept
      : site_(site), scraper_(scraper), access_(std::move(access)) {}

  void on_request(server::Exchange& exchange) noexcept override;
  void on_cancel(server::Exchange&) noexcept override {}

 private:
  struct Answer {
    int status = 200;
    std::string_view type = "text/plain; charset=utf-8";
    std::string body;
  };
  [[nodiscard]] Answer answer(const server::Exchange& exchange);
  [[nodiscard]] Answer page(std::string_view name, const server::Exchange& exchange);
  [[nodiscard]] bool may_see(const server::Exchange& exchange,
                             std::string_view name) const noexcept;

  const Site& site_;
  Scraper& scraper_;
  const Access access_;
};

}  // namespace celadon::admin
