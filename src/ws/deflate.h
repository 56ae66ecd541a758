// Streams of raw DEFLATE (RFC 1951) as permessage-deflate has them (RFC 7692 7.2): each
// message ends on a flush, whose last four bytes are not sent.
//
// Without zlib there are none: deflate_available() is false, and nothing is negotiated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

extern "C" struct z_stream_s;

namespace celadon::ws {

[[nodiscard]] bool deflate_available() noexcept;

// Zlib's state of one stream. About 10 KiB to inflate, and a window once a message is
// longer than a piece; 256 KiB to deflate with the largest window.
struct ZlibDelete {
  enum class Way : bool { Inflates, Deflates };
  Way way;
  void operator()(z_stream_s* stream) const noexcept;
};
using ZlibStream = std::unique_ptr<z_stream_s, ZlibDelete>;

// Where zlib has its memory from; null: from the heap.
struct ZlibMemory {
  void* (*take)(void* opaque, unsigned items, unsigned size) = nullptr;
  void (*give_back)(void* opaque, void* memory) = nullptr;
  void* opaque = nullptr;
};

class Inflater {
 public:
  enum class Step : std::uint8_t {
    Dry,       // all input is used, and all that it gives was given
    Full,      // `out` is full: call again
    Bad,       // no such data; what came before it was given
    NoMemory,  // for the window; likewise
  };
  struct Result {
    Step step;
    std::size_t made;  // bytes of `out`
  };

  // `window`: bits, 9 to 15, at least those of who deflates.
  explicit Inflater(int window, ZlibMemory memory = {}) noexcept;
  // Takes bytes from the front of `in`. They may go on after a final block.
  [[nodiscard]] Result inflate(std::string_view& in, std::span<char> out) noexcept;
  // What came so far ends with a block, and with a byte.
  [[nodiscard]] bool is_between_blocks() const noexcept { return between_blocks_; }
  // As new, for a stream with such a window.
  void reset(int window) noexcept;

 private:
  ZlibStream stream_;
  bool between_blocks_ = true;
};

class Deflater {
 public:
  // `window`: bits, 9 to 15. `level`: 1 to 9.
  Deflater(int window, int level) noexcept;
  // Appends a message that is not empty, deflated.
  void deflate(std::string_view message, std::string& out) noexcept;
  // Forgets what came before.
  void reset() noexcept;

 private:
  ZlibStream stream_;
};

// What a sender leaves out at the end of a message (RFC 7692 7.2.1), and all that an
// empty one is (7.2.3.6).
inline constexpr std::string_view kDeflateTail{"\x00\x00\xFF\xFF", 4};
inline constexpr std::string_view kDeflatedNothing{"\x00", 1};

}  // namespace celadon::ws
