// What lies in a worker's mailbox: a connection to take over, or a pipe to report into.
#pragma once

#include <cstring>
#include <type_traits>

#include "net/mailbox.h"
#include "server/peers.h"

namespace celadon::module::letter {

enum class Kind : std::uint8_t { Connection, Report };

inline constexpr std::size_t kBodyAt = 8;
static_assert(std::is_trivially_copyable_v<server::Passage>);
static_assert(kBodyAt + sizeof(server::Passage) <= sizeof(net::Mailbox::Note));

[[nodiscard]] inline net::Mailbox::Note report_note() noexcept {
  net::Mailbox::Note note{};
  note[0] = static_cast<std::byte>(Kind::Report);
  return note;
}

[[nodiscard]] inline net::Mailbox::Note connection_note(
    const server::Passage& passage) noexcept {
  net::Mailbox::Note note{};
  note[0] = static_cast<std::byte>(Kind::Connection);
  std::memcpy(note.data() + kBodyAt, &passage, sizeof passage);
  return note;
}

[[nodiscard]] inline Kind kind_of(const net::Mailbox::Note& note) noexcept {
  return static_cast<Kind>(note[0]);
}

[[nodiscard]] inline server::Passage passage_of(
    const net::Mailbox::Note& note) noexcept {
  server::Passage passage;
  std::memcpy(&passage, note.data() + kBodyAt, sizeof passage);
  return passage;
}

}  // namespace celadon::module::letter
