// Sessions for a server's connections: the context that is good now, with keys for
// tickets that other processes have too.
#pragma once

#include <memory>

#include "base/clock.h"
#include "net/cipher.h"
#include "tls/context.h"
#include "tls/failure.h"

namespace celadon::tls {

class Source final : public net::CipherSource {
 public:
  // All of them outlive it.
  Source(std::shared_ptr<const Context> context, TicketKeys& keys, Counters& counters,
         Clock& clock) noexcept
      : context_(std::move(context)), keys_(keys), counters_(counters), clock_(clock) {}

  [[nodiscard]] std::unique_ptr<net::Cipher> make() noexcept override;
  // For those who come from now on.
  void set_context(std::shared_ptr<const Context> context) noexcept {
    context_ = std::move(context);
  }

 private:
  std::shared_ptr<const Context> context_;
  TicketKeys& keys_;
  Counters& counters_;
  Clock& clock_;
};

}  // namespace celadon::tls
