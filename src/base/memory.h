// Memory that a burst needed. `s = {}` empties a string of libstdc++ and keeps what it
// had allocated, so does a vector: whoever wants it back says so by this name.
#pragma once

#include <malloc.h>

namespace celadon {

// What is free goes back to the system, as far as whole pages are.
inline void trim_heap() noexcept {
  ::malloc_trim(0);
}

template <class Container>
void give_back(Container& container) noexcept {
  Container empty;
  if (container.capacity() > empty.capacity()) {
    container.swap(empty);
  } else {
    container.clear();
  }
}

}  // namespace celadon
