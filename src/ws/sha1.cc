#include "ws/sha1.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace celadon::ws {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kLengthAt = kBlock - 8;
constexpr std::size_t kRounds = 80;

using Words = std::array<std::uint32_t, 5>;
using Block = std::array<std::uint8_t, kBlock>;

std::uint32_t load(const Block& block, std::size_t word) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | block[4 * word + i];
  return value;
}

// The function and the constant of a round (RFC 3174 section 5).
std::uint32_t mix(std::size_t round, const Words& h) noexcept {
  const auto [a, b, c, d, e] = h;
  if (round < 20) return ((b & c) | (~b & d)) + 0x5A827999;
  if (round < 40) return (b ^ c ^ d) + 0x6ED9EBA1;
  if (round < 60) return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
  return (b ^ c ^ d) + 0xCA62C1D6;
}

void add_block(Words& sum, const Block& block) noexcept {
  std::array<std::uint32_t, kRounds> w{};
  for (std::size_t t = 0; t < 16; ++t) w[t] = load(block, t);
  for (std::size_t t = 16; t < kRounds; ++t)
    w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  Words h = sum;
  for (std::size_t t = 0; t < kRounds; ++t) {
    const std::uint32_t next = std::rotl(h[0], 5) + mix(t, h) + h[4] + w[t];
    h = {next, h[0], std::rotl(h[1], 30), h[2], h[3]};
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += h[i];
}

void add_last(Words& sum, std::string_view rest, std::uint64_t size) noexcept {
  Block block{};
  std::memcpy(block.data(), rest.data(), rest.size());
  block[rest.size()] = 0x80;
  if (rest.size() >= kLengthAt) {
    add_block(sum, block);
    block = {};
  }
  const std::uint64_t bits = size * 8;
  for (std::size_t i = 0; i < 8; ++i)
    block[kLengthAt + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
  add_block(sum, block);
}

}  // namespace

Sha1Digest sha1(std::string_view text) noexcept {
  const std::uint64_t size = text.size();
  Words sum{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  for (; text.size() >= kBlock; text.remove_prefix(kBlock)) {
    Block block;
    std::memcpy(block.data(), text.data(), kBlock);
    add_block(sum, block);
  }
  add_last(sum, text, size);
  Sha1Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<std::uint8_t>(sum[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

}  // namespace celadon::ws
