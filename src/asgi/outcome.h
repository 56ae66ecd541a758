// What comes of a message of an application's, or of its wish for one.
#pragma once

#include <cstdint>

namespace celadon::asgi {

enum class Outcome : std::uint8_t {
  Done,
  Begun,   // it was taken, and what is left of it is still to be sent
  Wait,    // nothing was taken: there is no room, or no message
  Turn,    // likewise: others have theirs first
  Failed,  // with an exception
};

}  // namespace celadon::asgi
