// Memory that a burst needed. `s = {}` empties a string of libstdc++ and keeps what it
// had allocated, so does a vector: whoever wants it back says so by this name.
#pragma once

namespace celadon {

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
