// A small machine of states: which edges there are, kept in a table, and a state that
// only moves along them. An edge that the table does not know is an error of ours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"

namespace celadon {

template <class State>
struct Edge {
  State from;
  State to;
};

// `kCount` states; the first one is where it begins.
template <class State, std::size_t kCount, std::size_t kEdges>
class EdgeTable {
 public:
  consteval explicit EdgeTable(const std::array<Edge<State>, kEdges>& edges) noexcept {
    for (const Edge<State>& edge : edges) {
      next_[static_cast<std::size_t>(edge.from)] |= bit(edge.to);
    }
  }
  [[nodiscard]] constexpr bool has(State from, State to) const noexcept {
    return (next_[static_cast<std::size_t>(from)] & bit(to)) != 0;
  }
  // Every state but the first can be reached, and only `last` cannot be left.
  [[nodiscard]] consteval bool is_whole(State last) const noexcept {
    unsigned reached = 1;
    for (const auto next : next_) reached |= next;
    if (reached != (1U << kCount) - 1) return false;
    for (std::size_t i = 0; i < kCount; ++i) {
      if ((next_[i] == 0) != (i == static_cast<std::size_t>(last))) return false;
    }
    return true;
  }

 private:
  static constexpr unsigned bit(State state) noexcept {
    return 1U << static_cast<unsigned>(state);
  }
  std::array<unsigned, kCount> next_{};
};

template <class State, std::size_t kCount, std::size_t kEdges>
consteval auto make_edges(const Edge<State> (&edges)[kEdges]) noexcept {
  std::array<Edge<State>, kEdges> list{};
  for (std::size_t i = 0; i < kEdges; ++i) list[i] = edges[i];
  return EdgeTable<State, kCount, kEdges>(list);
}

}  // namespace celadon
