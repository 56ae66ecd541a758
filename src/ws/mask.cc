#include "ws/mask.h"

#include <cstring>

namespace celadon::ws {
namespace {

using Word = std::uint64_t;

void unmask_word(const char* from, char* to, Word mask) noexcept {
  Word word = 0;
  std::memcpy(&word, from, sizeof word);
  word ^= mask;
  std::memcpy(to, &word, sizeof word);
}

}  // namespace

void unmask(std::span<const char> from, char* to, MaskKey key,
            std::uint64_t at) noexcept {
  // The key, turned so that it begins with the byte for `at`, as often as a word has
  // it.
  std::array<std::uint8_t, sizeof(Word)> turned{};
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = key[(at + i) % 4];
  Word mask = 0;
  std::memcpy(&mask, turned.data(), sizeof mask);

  constexpr std::size_t kBlock = 4 * sizeof(Word);
  std::size_t done = 0;
  for (; from.size() - done >= kBlock; done += kBlock) {
    for (std::size_t i = 0; i < kBlock; i += sizeof(Word))
      unmask_word(from.data() + done + i, to + done + i, mask);
  }
  for (; from.size() - done >= sizeof(Word); done += sizeof(Word))
    unmask_word(from.data() + done, to + done, mask);
  for (; done < from.size(); ++done) {
    to[done] = static_cast<char>(static_cast<std::uint8_t>(from[done]) ^
                                 turned[done % turned.size()]);
  }
}

}  // namespace celadon::ws
