#include "ws/deflate.h"

#include "base/assert.h"

#ifdef CELADON_HAS_ZLIB

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace celadon::ws {
namespace {

constexpr int kMemory = 8;  // zlib's default

// Zlib does not write to what it reads.
Bytef* input(std::string_view bytes) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // NOLINT
}

uInt at_once(std::size_t size) noexcept {
  return static_cast<uInt>(
      std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

// Zlib's word for it: 128 behind a block, 64 if that was the last one, and the number
// of bits that were not used.
bool is_behind_block(const z_stream_s& stream) noexcept {
  constexpr int kBehindBlock = 128;
  constexpr int kLast = 64;
  return (stream.data_type & ~kLast) == kBehindBlock;
}

}  // namespace

bool deflate_available() noexcept {
  return true;
}

void ZlibDelete::operator()(z_stream_s* stream) const noexcept {
  if (way == Way::Inflates) {
    ::inflateEnd(stream);
  } else {
    ::deflateEnd(stream);
  }
  delete stream;
}

// --- Inflater ---

Inflater::Inflater(int window, ZlibMemory memory) noexcept
    : stream_(new z_stream_s{}, ZlibDelete{ZlibDelete::Way::Inflates}) {
  stream_->zalloc = memory.take;
  stream_->zfree = memory.give_back;
  stream_->opaque = memory.opaque;
  CHECK(::inflateInit2(stream_.get(), -window) == Z_OK, "out of memory");
}

Inflater::Result Inflater::inflate(std::string_view& in, std::span<char> out) noexcept {
  std::size_t made = 0;
  while (true) {
    stream_->next_in = input(in);
    stream_->avail_in = at_once(in.size());
    stream_->next_out = reinterpret_cast<Bytef*>(out.data() + made);
    stream_->avail_out = at_once(out.size() - made);
    const uInt had_in = stream_->avail_in;
    const uInt had_out = stream_->avail_out;
    const int result = ::inflate(stream_.get(), Z_SYNC_FLUSH);
    in.remove_prefix(had_in - stream_->avail_in);
    made += had_out - stream_->avail_out;
    // Behind a final block another stream begins, with the window of this one (RFC 7692
    // 7.2.3.4). No window is copied: peers may send nothing but final blocks.
    if (result == Z_STREAM_END) {
      ::inflateResetKeep(stream_.get());
      between_blocks_ = true;
    } else if (result == Z_OK) {
      between_blocks_ = is_behind_block(*stream_);
    } else if (result == Z_MEM_ERROR) {
      return {Step::NoMemory, made};
    } else if (result != Z_BUF_ERROR) {  // which only says that there was nothing to do
      return {Step::Bad, made};
    }
    if (stream_->avail_out == 0) return {Step::Full, made};
    if (in.empty()) return {Step::Dry, made};
  }
}

void Inflater::reset(int window) noexcept {
  ::inflateReset2(stream_.get(), -window);
  between_blocks_ = true;
}

// --- Deflater ---

Deflater::Deflater(int window, int level) noexcept
    : stream_(new z_stream_s{}, ZlibDelete{ZlibDelete::Way::Deflates}) {
  CHECK(::deflateInit2(stream_.get(), level, Z_DEFLATED, -window, kMemory,
                       Z_DEFAULT_STRATEGY) == Z_OK,
        "out of memory");
}

void Deflater::deflate(std::string_view message, std::string& out) noexcept {
  constexpr std::size_t kFlush = 16;  // room for what ends a message
  const std::size_t before = out.size();
  std::size_t end = before;
  out.resize(before + ::deflateBound(stream_.get(), message.size()) + kFlush);
  do {
    stream_->next_in = input(message);
    stream_->avail_in = at_once(message.size());
    const uInt had_in = stream_->avail_in;
    const int flush = had_in == message.size() ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    do {
      if (end == out.size()) out.resize(out.size() + out.size() / 2);
      stream_->next_out = reinterpret_cast<Bytef*>(out.data() + end);
      stream_->avail_out = at_once(out.size() - end);
      const uInt had_out = stream_->avail_out;
      ::deflate(stream_.get(), flush);
      end += had_out - stream_->avail_out;
    } while (stream_->avail_out == 0);
    message.remove_prefix(had_in);
  } while (!message.empty());
  out.resize(end);
  ASSERT(std::string_view(out).substr(before).ends_with(kDeflateTail),
         "a message that does not end on a flush");
  out.resize(end - kDeflateTail.size());
}

void Deflater::reset() noexcept {
  ::deflateReset(stream_.get());
}

}  // namespace celadon::ws

#else

namespace celadon::ws {

bool deflate_available() noexcept {
  return false;
}
void ZlibDelete::operator()(z_stream_s*) const noexcept {}

// Nobody negotiates what is not there.
Inflater::Inflater(int, ZlibMemory) noexcept {
  CHECK(false, "built without zlib");
}
Inflater::Result Inflater::inflate(std::string_view&, std::span<char>) noexcept {
  return {Step::Bad, 0};
}
void Inflater::reset(int) noexcept {}
Deflater::Deflater(int, int) noexcept {
  CHECK(false, "built without zlib");
}
void Deflater::deflate(std::string_view, std::string&) noexcept {}
void Deflater::reset() noexcept {}

}  // namespace celadon::ws

#endif
