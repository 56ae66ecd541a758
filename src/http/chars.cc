#include "http/chars.h"

#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace celadon::http {
namespace {

constexpr bool is_control(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return (u < 0x20 && c != '\t') || u == 0x7f;
}

}  // namespace

const char* find_control(const char* at, const char* end) noexcept {
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
  while (at < end && !is_control(*at)) ++at;
  return at;
}

}  // namespace celadon::http
