// What lies in a worker's mailbox: a connection to take over, or a pipe to report into.
#pragma once

#include <sys/types.h>

#include <cstring>
#include <type_traits>

#include "master/letter_kind.h"
#include "net/mailbox.h"
#include "server/peers.h"

namespace celadon::module::letter {

using Kind = master::LetterKind;
using master::kind_of;

inline constexpr std::size_t kReaderAt = 4;
inline constexpr std::size_t kBodyAt = 8;
static_assert(std::is_trivially_copyable_v<server::Passage>);
static_assert(kReaderAt + sizeof(pid_t) <= kBodyAt);
static_assert(kBodyAt + sizeof(server::Passage) <= sizeof(net::Mailbox::Note));

[[nodiscard]] inline net::Mailbox::Note report_note() noexcept {
  net::Mailbox::Note note{};
  set_kind(note, Kind::Report);
  return note;
}

// The one process that what is no connection is for: another one may find it.
[[nodiscard]] inline net::Mailbox::Note addressed_to(net::Mailbox::Note note,
                                                     pid_t reader) noexcept {
  std::memcpy(note.data() + kReaderAt, &reader, sizeof reader);
  return note;
}

[[nodiscard]] inline bool is_for(const net::Mailbox::Note& note,
                                 pid_t reader) noexcept {
  pid_t named = 0;
  std::memcpy(&named, note.data() + kReaderAt, sizeof named);
  return named == reader;
}

// How long to look, in milliseconds, and at all greenlets or only at what runs.
struct ProfileOrder {
  std::uint32_t milliseconds = 0;
  std::uint32_t wall = 0;
};

[[nodiscard]] inline net::Mailbox::Note profile_note(ProfileOrder order) noexcept {
  net::Mailbox::Note note{};
  set_kind(note, Kind::Profile);
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
  set_kind(note, Kind::Connection);
  std::memcpy(note.data() + kBodyAt, &passage, sizeof passage);
  return note;
}

[[nodiscard]] inline server::Passage passage_of(
    const net::Mailbox::Note& note) noexcept {
  server::Passage passage;
  std::memcpy(&passage, note.data() + kBodyAt, sizeof passage);
  return passage;
}

}  // namespace celadon::module::letter
