#include "ws/deflation.h"

#include <algorithm>
#include <utility>

namespace celadon::ws {

// --- DeflatePool ---

Deflater& DeflatePool::deflater(int window) {
  Shared& shared = deflaters_[static_cast<std::size_t>(window - kSmallest)];
  shared.used = true;
  if (shared.deflater) {
    shared.deflater->reset();
  } else {
    shared.deflater = make_deflater(window);
  }
  return *shared.deflater;
}

std::unique_ptr<Deflater> DeflatePool::make_deflater(int window) const {
  return std::make_unique<Deflater>(window, level_);
}

std::unique_ptr<Inflater> DeflatePool::take_inflater(int window) {
  // A window of 8 bits is within one of 9, which zlib has.
  const int bits = std::max(window, kSmallest);
  auto inflater = inflaters_.take();
  if (!inflater) return std::make_unique<Inflater>(bits);
  inflater->reset(bits);
  return inflater;
}

bool DeflatePool::keeps_memory() const noexcept {
  return !inflaters_.empty() ||
         std::ranges::any_of(deflaters_, [](const Shared& shared) {
           return shared.deflater != nullptr;
         });
}

void DeflatePool::give_back_unused() {
  inflaters_.give_back_unused();
  for (Shared& shared : deflaters_) {
    if (!std::exchange(shared.used, false)) shared.deflater.reset();
  }
}

void DeflatePool::give_back_all() noexcept {
  inflaters_.give_back_all();
  for (Shared& shared : deflaters_) shared = {};
}

// --- Deflation ---

Inflater& Deflation::inflater() {
  if (!inflater_) inflater_ = pool_->take_inflater(terms_.got_window);
  return *inflater_;
}

void Deflation::end_inflating() {
  if (!terms_.keeps_got && inflater_) pool_->put(std::move(inflater_));
}

bool Deflation::deflate(std::string_view message, std::string& out) {
  if (message.size() < options_->smallest) return false;
  out.clear();
  if (message.empty()) {
    out.append(kDeflatedNothing);
    return true;
  }
  if (terms_.keeps_sent) {
    if (!own_deflater_) own_deflater_ = pool_->make_deflater(terms_.sent_window);
    own_deflater_->deflate(message, out);
    return true;
  }
  pool_->deflater(terms_.sent_window).deflate(message, out);
  // Nothing leans on it.
  return out.size() < message.size();
}

void Deflation::release() {
  if (inflater_) pool_->put(std::move(inflater_));
  own_deflater_.reset();
}

}  // namespace celadon::ws
