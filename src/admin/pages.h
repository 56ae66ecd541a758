// The admin listener's pages. Most answer from the slab alone, whatever workers do.
#pragma once

#include <string>
#include <string_view>

#include "admin/access.h"
#include "admin/answer.h"
#include "admin/events.h"
#include "admin/scrape.h"
#include "admin/site.h"
#include "admin/waiting.h"

namespace celadon::admin {

class Pages final : public server::App {
 public:
  Pages(loop::Loop& loop, const Site& site, Scraper& scraper, Actions& actions,
        Access access) noexcept;

  void on_request(server::Exchange& exchange) noexcept override;
  void on_cancel(server::Exchange&) noexcept override {}
  // An answer of others; false: it is for nobody here.
  bool reply(std::uint64_t number, std::string_view json) noexcept {
    return waiting_.reply(number, json);
  }

 private:
  void answer(server::Exchange& exchange, std::string_view name) noexcept;
  void control(server::Exchange& exchange, std::string_view words) noexcept;
  [[nodiscard]] Answer page(const server::Exchange& exchange, std::string_view name);
  [[nodiscard]] Answer scrape(const http::Request& request);

  const Site& site_;
  Scraper& scraper_;
  const Access access_;
  WaitingPages waiting_;
  Events events_;
};

}  // namespace celadon::admin
