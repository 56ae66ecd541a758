#include "server/counters.h"

namespace celadon::server {

Refused refused_for(http::Rejection why) noexcept {
  using http::Rejection;
  switch (why) {
    case Rejection::HeadTooLarge:
    case Rejection::LineTooLong: return Refused::Limit;
    case Rejection::BodyTooLarge: return Refused::BodySize;
    case Rejection::Overloaded: return Refused::QueueFull;
    case Rejection::SlowHead:
    case Rejection::SlowBody: return Refused::Slow;
    case Rejection::WrongHost: return Refused::Host;
    case Rejection::SpoolFailed:
    case Rejection::IncompleteBody: return Refused::Other;
    default: return Refused::Parse;
  }
}

}  // namespace celadon::server
