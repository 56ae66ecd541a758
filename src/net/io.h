// What one attempt at input or output came to.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"

namespace celadon::net {

struct Io {
  enum class Step : std::uint8_t { Done, Again, Eof, Failed };
  Step step = Step::Done;
  Error error = Error::Other;  // meaningful for Failed
  std::size_t bytes = 0;

  // Of the peer or the way to it; what else fails where a file is sent is the file.
  [[nodiscard]] bool is_of_peer() const noexcept {
    return step == Step::Failed && (error == Error::Reset || error == Error::TimedOut ||
                                    error == Error::BadTls);
  }
};

}  // namespace celadon::net
