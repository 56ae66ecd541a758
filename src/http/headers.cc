#include "http/headers.h"

#include <array>
#include <cstring>

namespace celadon::http {
namespace {

constexpr std::array<std::string_view, kKnownHeaders> kNames{
#define CELADON_HEADER_NAME(id, name) name,
    CELADON_HEADERS(CELADON_HEADER_NAME)
#undef CELADON_HEADER_NAME
};

constexpr std::size_t kTable = 256;
constexpr std::uint8_t kEmpty = 0xff;
constexpr std::size_t kLongest = 32;
constexpr char kCase = 0x20;

constexpr std::size_t hash_of(std::string_view name) noexcept {
  // Folding by one bit is enough to find a candidate; Known::is() judges it.
  const auto byte = [name](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(name[i] | kCase));
  };
  const unsigned sum = byte(0) * 5U + byte(name.size() - 1) * 29U +
                       byte(name.size() / 2) * 3U +
                       static_cast<unsigned>(name.size()) * 11U;
  return sum % kTable;
}

template <class Word>
Word load(const char* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// A known name, compared by words: the case bit is ignored where a letter stands.
struct Known {
  std::array<char, kLongest> text{};
  std::array<char, kLongest> fold{};
  std::size_t size = 0;

  template <class Word>
  [[nodiscard]] bool word_is(const char* name, std::size_t at) const noexcept {
    return (load<Word>(name + at) | load<Word>(fold.data() + at)) ==
           load<Word>(text.data() + at);
  }
  template <class Word>
  [[nodiscard]] bool words_are(const char* name) const noexcept {
    for (std::size_t at = 0; at + sizeof(Word) < size; at += sizeof(Word)) {
      if (!word_is<Word>(name, at)) return false;
    }
    return word_is<Word>(name, size - sizeof(Word));
  }
  [[nodiscard]] bool is(std::string_view name) const noexcept {
    if (name.size() != size) return false;
    if (size >= 8) return words_are<std::uint64_t>(name.data());
    if (size >= 4) return words_are<std::uint32_t>(name.data());
    return words_are<char>(name.data());
  }
};

consteval std::array<Known, kKnownHeaders> make_known() {
  std::array<Known, kKnownHeaders> known{};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    known[i].size = kNames[i].size();
    for (std::size_t c = 0; c < kNames[i].size(); ++c) {
      known[i].text[c] = kNames[i][c];
      known[i].fold[c] = kNames[i][c] >= 'a' && kNames[i][c] <= 'z' ? kCase : '\0';
    }
  }
  return known;
}
constexpr auto kKnown = make_known();

consteval std::array<std::uint8_t, kTable> make_table() {
  std::array<std::uint8_t, kTable> table{};
  table.fill(kEmpty);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    std::size_t at = hash_of(kNames[i]);
    while (table[at] != kEmpty) at = (at + 1) % kTable;
    table[at] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto kIndex = make_table();

}  // namespace

HeaderId header_id(std::string_view name) noexcept {
  if (name.empty()) return HeaderId::Other;
  for (std::size_t at = hash_of(name); kIndex[at] != kEmpty; at = (at + 1) % kTable) {
    if (kKnown[kIndex[at]].is(name)) return static_cast<HeaderId>(kIndex[at]);
  }
  return name.contains('_') ? HeaderId::Underscored : HeaderId::Other;
}

std::string_view header_name(HeaderId id) noexcept {
  return kNames[static_cast<std::size_t>(id)];
}

}  // namespace celadon::http
