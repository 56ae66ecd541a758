#include "tls/source.h"

#include "tls/session.h"

namespace celadon::tls {

std::unique_ptr<net::Cipher> Source::make() noexcept {
  keys_.keep_fresh(clock_.now());
  return std::make_unique<Session>(context_, &counters_);
}

}  // namespace celadon::tls
