// What comes of a message of an application's, or of its wish for one.
#pragma once

#include <cstdint>

namespace celadon::asgi {

enum class Outcome : std::uint8_t {
  Done,
  Wait,
  Turn,    // others have theirs first
  Failed,  // with an exception
};

}  // namespace celadon::asgi
