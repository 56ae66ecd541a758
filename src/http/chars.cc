#include "http/chars.h"

#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace celadon::http {
namespace {

constexpr bool is_control(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return (u < 0x20 && c != '\t') || u == 0x7f;
}

constexpr std::uint64_t kEach = 0x0101010101010101ULL;
constexpr std::uint64_t kHighs = kEach * 0x80;

// The high bit of every byte that is zero; no carry leaves a byte.
constexpr std::uint64_t zero_bytes(std::uint64_t word) noexcept {
  return ~(((word & ~kHighs) + ~kHighs) | word) & kHighs;
}

// The high bit of every byte that is a control byte other than HTAB.
constexpr std::uint64_t control_bytes(std::uint64_t word) noexcept {
  constexpr std::uint64_t to_high = kEach * (0x80 - 0x20);
  const std::uint64_t low = ~(((word & ~kHighs) + to_high) | word) & kHighs;
  return (low & ~zero_bytes(word ^ kEach * '\t')) | zero_bytes(word ^ kEach * 0x7f);
}

std::uint64_t load_word(const char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// The rest of a text, which is shorter than a block; by words where there is one.
const char* find_control_in_rest(const char* begin, const char* at,
                                 const char* end) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    if (end - begin >= 8) {
      for (; end - at >= 8; at += 8) {
        const std::uint64_t bad = control_bytes(load_word(at));
        if (bad) return at + std::countr_zero(bad) / 8;
      }
      if (at == end) return end;
      // The last word overlaps bytes that are known to be clean.
      const std::uint64_t bad = control_bytes(load_word(end - 8));
      return bad ? end - 8 + std::countr_zero(bad) / 8 : end;
    }
  }
  while (at < end && !is_control(*at)) ++at;
  return at;
}

}  // namespace

const char* find_control(const char* begin, const char* end) noexcept {
  const char* at = begin;
#if defined(__SSE2__)
  const __m128i below = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Unsigned "<= 0x1f": the minimum with 0x1f is the byte itself.
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, below), block);
    const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low),
                                     _mm_cmpeq_epi8(block, del));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (mask) return at + std::countr_zero(mask);
  }
#endif
  return find_control_in_rest(begin, at, end);
}

}  // namespace celadon::http
