// The control socket: one line of words in, the length of a JSON text and the text out.
// Who may use it is decided by the socket's mode and the peer's user.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/scrape.h"
#include "admin/site.h"
#include "loop/loop.h"
#include "net/listener.h"

namespace celadon::admin {

// What is not for the admin process to do. Each question is answered once, by
// Control::reply with its number.
class Actions {
 public:
  virtual ~Actions() = default;
  virtual void ask(std::uint64_t number, std::string_view words) noexcept = 0;
};

class Control final : private net::Acceptor {
 public:
  // `owner`: whose processes may use it, beside root.
  Control(loop::Loop& loop, const Site& site, const Scraper& scraper, Actions& actions,
          uid_t owner) noexcept;
  ~Control() override;

  [[nodiscard]] bool listen(net::ListenSocket socket) noexcept;
  void reply(std::uint64_t number, std::string_view json) noexcept;

 private:
  class Conversation;

  Next on_accept(int fd, const net::Address& peer,
                 net::Listener& from) noexcept override;
  void on_accept_error(Error) noexcept override {}
  // The answer, or empty where it comes later.
  [[nodiscard]] std::string answer(std::uint64_t number,
                                   std::string_view words) noexcept;
  void forget(const Conversation& conversation) noexcept;

  static constexpr std::size_t kMost = 16;  // conversations at a time
  static constexpr std::size_t kLine = 1024;
  static constexpr Nanos kPatience = 30 * kSecond;

  loop::Loop& loop_;
  const Site& site_;
  const Scraper& scraper_;
  Actions& actions_;
  const uid_t owner_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<Conversation>> conversations_;
  std::uint64_t next_number_ = 1;
};

}  // namespace celadon::admin
