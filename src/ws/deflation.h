// What one conversation and what all of a worker hold for permessage-deflate.
//
// A message is compressed at once, and one that comes is inflated as it comes. So where
// no message may lean on the one before, all conversations share one compressor of each
// kind, and have an inflater only while a compressed message is under way: an idle one
// holds nothing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/free_list.h"
#include "ws/deflate.h"
#include "ws/deflate_terms.h"
#include "ws/options.h"

namespace celadon::ws {

// Of a worker; outlives its conversations. What a period has no use for its owner has
// given back, as of other memory that is kept (`loop::Keeper`).
class DeflatePool {
 public:
  explicit DeflatePool(int level) noexcept : level_(level) {}

  // For messages that stand alone: as new with each call.
  [[nodiscard]] Deflater& deflater(int window);
  // One that belongs to who takes it.
  [[nodiscard]] std::unique_ptr<Deflater> make_deflater(int window) const;
  [[nodiscard]] std::unique_ptr<Inflater> take_inflater(int window);
  void put(std::unique_ptr<Inflater> inflater) { inflaters_.put(std::move(inflater)); }

  [[nodiscard]] bool keeps_memory() const noexcept;
  // Since the last call.
  void give_back_unused();
  void give_back_all() noexcept;

 private:
  static constexpr int kSmallest = 9;
  static constexpr int kLargest = 15;
  static constexpr std::size_t kMostInflaters = 16;
  struct Shared {
    std::unique_ptr<Deflater> deflater;
    bool used = false;  // in this period
  };

  int level_;
  std::array<Shared, kLargest - kSmallest + 1> deflaters_;
  FreeList<Inflater> inflaters_{kMostInflaters};
};

// Of a conversation that agreed on the extension.
class Deflation {
 public:
  Deflation(const DeflateTerms& terms, const DeflateOptions& options,
            DeflatePool& pool) noexcept
      : terms_(terms), options_(&options), pool_(&pool) {}
  ~Deflation() { release(); }
  Deflation(const Deflation&) = delete;
  Deflation& operator=(const Deflation&) = delete;

  // Of the compressed message that is coming.
  [[nodiscard]] Inflater& inflater();
  // It is whole, or never gets so.
  void end_inflating();
  // Deflates a message that is to be sent. False: it goes as it is.
  [[nodiscard]] bool deflate(std::string_view message, std::string& out);
  // Nothing comes or goes any more.
  void release();

 private:
  DeflateTerms terms_;
  const DeflateOptions* options_;
  DeflatePool* pool_;
  std::unique_ptr<Inflater> inflater_;
  std::unique_ptr<Deflater> own_deflater_;  // where messages lean on each other
};

}  // namespace celadon::ws
