// What a letter in a worker's mailbox is, by its first byte: whatever any worker may
// take is told from what is for one process alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/mailbox.h"

namespace celadon::master {

enum class LetterKind : std::uint8_t { Connection, Report, Profile };

inline void set_kind(net::Mailbox::Note& note, LetterKind kind) noexcept {
  note[0] = static_cast<std::byte>(kind);
}
[[nodiscard]] inline LetterKind kind_of(const net::Mailbox::Note& note) noexcept {
  return static_cast<LetterKind>(note[0]);
}

}  // namespace celadon::master
