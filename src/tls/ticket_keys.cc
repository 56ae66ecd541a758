#include "tls/ticket_keys.h"

#include <openssl/rand.h>

#include <algorithm>
#include <bit>

namespace celadon::tls {
namespace {

// A writer that dies half-way leaves an odd sequence: tickets are not resumed then, and
// none are given, until another one writes.
constexpr int kTries = 1000;

}  // namespace

std::optional<TicketKey> TicketKeys::read_once(std::size_t index) const noexcept {
  const std::uint32_t before = sequence_.load(std::memory_order_acquire);
  if (before % 2 != 0 || index >= count_.load(std::memory_order_relaxed)) return {};
  std::array<std::uint64_t, kWords> words;
  for (std::size_t i = 0; i < kWords; ++i) {
    words[i] = keys_[index][i].load(std::memory_order_relaxed);
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  if (sequence_.load(std::memory_order_relaxed) != before) return {};
  return std::bit_cast<TicketKey>(words);
}

std::optional<TicketKey> TicketKeys::read(std::size_t index) const noexcept {
  if (index >= count_.load(std::memory_order_acquire)) return {};
  for (int i = 0; i < kTries; ++i) {
    if (auto key = read_once(index)) return key;
  }
  return {};
}

std::optional<TicketKeys::Found> TicketKeys::find(
    const unsigned char (&name)[16]) const noexcept {
  for (std::size_t i = 0; i < kKept; ++i) {
    const auto key = read(i);
    if (!key) return {};
    if (std::ranges::equal(key->name, name)) return Found{*key, i == 0};
  }
  return {};
}

void TicketKeys::turn(const TicketKey& fresh) noexcept {
  const std::uint32_t before = sequence_.load(std::memory_order_relaxed) | 1;
  sequence_.store(before, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t i = kKept - 1; i > 0; --i) {
    for (std::size_t w = 0; w < kWords; ++w) {
      keys_[i][w].store(keys_[i - 1][w].load(std::memory_order_relaxed),
                        std::memory_order_relaxed);
    }
  }
  const auto words = std::bit_cast<std::array<std::uint64_t, kWords>>(fresh);
  for (std::size_t w = 0; w < kWords; ++w) {
    keys_[0][w].store(words[w], std::memory_order_relaxed);
  }
  const auto count = count_.load(std::memory_order_relaxed);
  count_.store(std::min<std::uint32_t>(count + 1, kKept), std::memory_order_relaxed);
  sequence_.store(before + 1, std::memory_order_release);
}

void TicketKeys::keep_fresh(Nanos now) noexcept {
  Nanos due = due_.load(std::memory_order_relaxed);
  if (now < due) return;
  if (!due_.compare_exchange_strong(due, now + kTime, std::memory_order_relaxed))
    return;
  if (const auto fresh = make()) turn(*fresh);
}

std::optional<TicketKey> TicketKeys::make() noexcept {
  std::array<unsigned char, sizeof(TicketKey)> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return {};
  return std::bit_cast<TicketKey>(bytes);
}

}  // namespace celadon::tls
