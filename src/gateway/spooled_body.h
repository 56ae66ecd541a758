// Reads a body that was spooled to disk, a block at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace celadon::gateway {

class SpooledBody {
 public:
  static constexpr std::size_t kBlock = std::size_t{64} * 1024;

  // Makes data() non-empty, except at the end. With `may_park` it parks while a block
  // comes from disk: only for who keeps this object and the file alive meanwhile. False
  // with an exception.
  [[nodiscard]] bool fill(int file, bool may_park) noexcept;
  // Where the block lies that fill() reads without parking, if it would wait for a disk
  // there: warm_up() is for who keeps less than this alive.
  [[nodiscard]] std::optional<off_t> cold_block(int file) const noexcept;
  [[nodiscard]] std::string_view data() const noexcept {
    return std::string_view(block_).substr(at_);
  }
  void consume(std::size_t n) noexcept { at_ += n; }

 private:
  std::string block_;
  std::size_t at_ = 0;        // in block_
  std::uint64_t offset_ = 0;  // in the file, of the block after this one
};

}  // namespace celadon::gateway
