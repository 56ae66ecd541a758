// What lies in a worker's mailbox: a connection to take over, or a pipe to report into.
#pragma once

#include <cstring>
#include <type_traits>

#include "net/mailbox.h"
#include "server/peers.h"

namespace celadon::module::letter {

enum class Kind : std::uint8_t { Connection, Report, Profile };

inline constexpr std::size_t kBodyAt = 8;
static_assert(std::is_trivially_copyable_v<server::Passage>);
static_assert(kBodyAt + sizeof(server::Passage) <= sizeof(net::Mailbox::Note));

[[nodiscard]] inline net::Mailbox::Note report_note() noexcept {
  net::Mailbox::Note note{};
  note[0] = static_cast<std::byte>(Kind::Report);
  return note;
}

// How long to look, in milliseconds, and at all greenlets or only at what runs.
struct ProfileOrder {
  std::uint32_t milliseconds = 0;
  std::uint32_t wall = 0;
};

[[nodiscard]] inline net::Mailbox::Note profile_note(ProfileOrder order) noexcept {
  net::Mailbox::Note note{};
  note[0] = static_cast<std::byte>(Kind::Profile);
  std::memcpy(note.data() + kBodyAt, &order, sizeof order);
  return note;
}

[[nodiscard]] inline ProfileOrder profile_of(const net::Mailbox::Note& note) noexcept {
  ProfileOrder order;
  std::memcpy(&order, note.data() + kBodyAt, sizeof order);
  return order;
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
