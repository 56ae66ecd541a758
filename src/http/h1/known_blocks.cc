#include "http/h1/known_blocks.h"

#include <cstring>
#include <utility>

#include "base/memory.h"

namespace celadon::http::h1 {
namespace {

std::uint64_t word_at(std::string_view bytes, std::size_t at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

// Of some of its bytes: two blocks at one place only cost a parse each.
std::size_t place_of(std::string_view block) noexcept {
  constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15;
  constexpr std::size_t kEnd = 4;  // the last two line ends
  std::uint64_t hash = block.size();
  if (block.size() >= 2 * sizeof hash + kEnd) {
    for (const std::size_t at :
         {block.size() / 4, block.size() / 2, block.size() - kEnd - sizeof hash}) {
      hash = (hash ^ word_at(block, at)) * kMix;
    }
  }
  return (hash * kMix >> 32) % KnownBlocks::kPlaces;
}

std::uint32_t bit(std::size_t at) noexcept {
  static_assert(KnownBlocks::kPlaces <= 32);
  return std::uint32_t{1} << at;
}

}  // namespace

std::size_t KnownBlocks::recall(std::string_view bytes, Hint& hint,
                                Request& request) noexcept {
  if (!places_ || hint.misses >= kPatience) return 0;
  const std::uint8_t at = hint.place == kLatest ? latest_ : hint.place;
  const Place& place = (*places_)[at];
  const std::size_t size = place.bytes.size();
  if (size == 0 || size > bytes.size() ||
      std::memcmp(place.bytes.data(), bytes.data(), size) != 0) {
    return 0;
  }
  hint.misses = 0;
  used_ |= bit(at);
  request.fields = place.fields;
  static_cast<BlockFacts&>(request) = place.facts;
  return size;
}

void KnownBlocks::remember(std::string_view block, Request& request,
                           Hint& hint) noexcept {
  if (block.size() > kLongest || hint.misses >= kPatience) return;
  if (!places_) places_ = std::make_unique<Places>();
  const auto at = static_cast<std::uint8_t>(place_of(block));
  Place& place = (*places_)[at];
  if (place.bytes == block) {  // another connection has left it there
    hint.misses = 0;
  } else {
    ++hint.misses;
    place.bytes.assign(block);
    place.fields = request.fields;
    place.facts = request;
    place.facts.block = ++last_number_;
  }
  request.block = place.facts.block;
  hint.place = latest_ = at;
  used_ |= bit(at);
}

void KnownBlocks::forget_unused() noexcept {
  const std::uint32_t used = std::exchange(used_, 0);
  if (used == 0) return forget();
  for (std::size_t at = 0; places_ && at < kPlaces; ++at) {
    if (used & bit(at)) continue;
    give_back((*places_)[at].bytes);
    give_back((*places_)[at].fields);
  }
}

}  // namespace celadon::http::h1
