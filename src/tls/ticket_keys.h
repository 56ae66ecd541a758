// The keys under which sessions lie in tickets, for as long as they are resumed
// (RFC 5077, RFC 8446 4.6.1). One process makes them, several read them: they lie in
// memory that all of these share, and none of them waits.
//
//   writer   odd sequence ► words ► even sequence
//   reader   sequence ► words ► the same sequence, and even: whole
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace celadon::tls {

struct TicketKey {
  std::array<unsigned char, 16> name{};  // which one it is; in the clear
  std::array<unsigned char, 32> cipher{};
  std::array<unsigned char, 32> mac{};
  bool operator==(const TicketKey&) const = default;
};

class TicketKeys {
 public:
  static constexpr std::size_t kKept = 3;  // by the older ones tickets are only read
  static constexpr Nanos kTime = 12 * 3600 * kSecond;

  // The current one; none before the first turn() anywhere.
  [[nodiscard]] std::optional<TicketKey> current() const noexcept { return read(0); }
  struct Found {
    TicketKey key;
    bool is_current;
  };
  [[nodiscard]] std::optional<Found> find(
      const unsigned char (&name)[16]) const noexcept;

  // The writer: `fresh` is the current one from now on, the oldest is forgotten.
  void turn(const TicketKey& fresh) noexcept;
  // Likewise, with a key of random bytes, if the current one has had its time by `now`;
  // whichever process asks first does it.
  void keep_fresh(Nanos now) noexcept;
  // A key of random bytes; nothing where the system has none.
  [[nodiscard]] static std::optional<TicketKey> make() noexcept;

 private:
  static constexpr std::size_t kWords = sizeof(TicketKey) / sizeof(std::uint64_t);
  static_assert(sizeof(TicketKey) % sizeof(std::uint64_t) == 0);
  using Words = std::array<std::atomic<std::uint64_t>, kWords>;

  [[nodiscard]] std::optional<TicketKey> read(std::size_t index) const noexcept;
  [[nodiscard]] std::optional<TicketKey> read_once(std::size_t index) const noexcept;

  std::atomic<Nanos> due_{0};
  std::atomic<std::uint32_t> sequence_{0};
  std::atomic<std::uint32_t> count_{0};
  std::array<Words, kKept> keys_{};
};

}  // namespace celadon::tls
