#include "sim/frames.h"

#ifdef CELADON_HAS_ZLIB
#include <zlib.h>
#endif

#include <algorithm>
#include <array>
#include <utility>

#include "sim/content.h"
#include "sim/ids.h"

namespace celadon::sim {
namespace {

constexpr unsigned kLast = 0x80;
constexpr unsigned kRsv1 = 0x40;
constexpr unsigned kRsv2And3 = 0x30;
constexpr unsigned kOpcode = 0x0F;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kTwoBytes = 126;
constexpr unsigned kEightBytes = 127;
constexpr std::uint64_t kLongestControl = 125;
enum Opcode : unsigned { kGoesOn = 0, kText, kBinary, kClose = 8, kPing, kPong };

bool may_say(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

FrameReader::FrameReader(std::uint64_t content, std::string_view extensions)
    : content_(content),
      deflated_(extensions.starts_with("permessage-deflate")),
      forgets_(extensions.contains("server_no_context_takeover")) {}

void FrameReader::fail(std::string why) {
  if (error_.empty()) error_ = std::move(why);
}

std::size_t FrameReader::head_size() const noexcept {
  if (head_.size() < 2) return 2;
  const unsigned size = head_byte(1) & ~kMasked;
  return 2 + (size == kTwoBytes ? 2U : size == kEightBytes ? 8U : 0U);
}

void FrameReader::take(std::string_view bytes) {
  while (error_.empty()) {
    if (has_head_) {
      std::string& into = (head_byte(0) & kOpcode) >= kClose ? control_ : message_;
      const auto n =
          static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      into += bytes.substr(0, n);
      bytes.remove_prefix(n);
      left_ -= n;
      if (left_ > 0) return;
      on_frame();
      has_head_ = false;
      head_.clear();
      continue;
    }
    if (bytes.empty()) return;
    head_ += bytes.front();
    bytes.remove_prefix(1);
    if (head_.size() == head_size()) on_head();
  }
}

void FrameReader::on_head() {
  if ((head_byte(1) & kMasked) != 0) return fail("a server masks its frame");
  std::uint64_t size = head_byte(1);
  if (head_.size() > 2) {
    size = 0;
    for (std::size_t i = 2; i < head_.size(); ++i) size = size << 8 | head_byte(i);
    const std::uint64_t least = head_.size() > 4 ? 0x10000 : kTwoBytes;
    if (size < least) return fail("a length that is not the shortest");
  }
  has_head_ = true;
  left_ = size;
  judge_head(size);
}

void FrameReader::judge_head(std::uint64_t size) {
  const unsigned first = head_byte(0);
  const unsigned opcode = first & kOpcode;
  if (close_ && opcode != kPong) return fail("a frame behind its close frame");
  if ((first & kRsv2And3) != 0) return fail("a reserved bit");
  if (opcode < kClose) return judge_data(opcode, (first & kRsv1) != 0);
  if (opcode > kPong) return fail("a reserved opcode");
  if ((first & kRsv1) != 0) return fail("a control frame with a reserved bit");
  if ((first & kLast) == 0) return fail("a control frame in fragments");
  if (size > kLongestControl) return fail("a long control frame");
  control_.clear();
}

void FrameReader::judge_data(unsigned opcode, bool deflated) {
  if (opcode > kBinary) return fail("a reserved opcode");
  const bool goes_on = opcode == kGoesOn;
  if (goes_on != is_under_way_) return fail("fragments out of their order");
  if (deflated && (goes_on || !deflated_))
    return fail("compressed, though it must not");
  if (goes_on) return;
  is_under_way_ = true;
  is_text_ = opcode == kText;
  is_compressed_ = deflated;
  message_.clear();
}

void FrameReader::on_frame() {
  const unsigned opcode = head_byte(0) & kOpcode;
  if (opcode >= kClose) return on_control(opcode);
  if ((head_byte(0) & kLast) != 0) on_message();
}

void FrameReader::on_control(unsigned opcode) {
  if (opcode == kPing) {
    pings_.push_back(control_);
  } else if (opcode == kPong) {
    pongs_.push_back(control_);
  } else {
    const auto byte = [this](std::size_t i) {
      return unsigned{static_cast<unsigned char>(control_[i])};
    };
    const bool has_code = control_.size() >= 2;
    if (!control_.empty() && (!has_code || !may_say(byte(0) << 8 | byte(1)))) {
      return fail("a close frame that nobody may send");
    }
    close_ = control_;
  }
}

void FrameReader::on_message() {
  is_under_way_ = false;
  if (is_compressed_ && !inflate(message_)) return fail("what does not inflate");
  const std::string right = message_of(
      is_text_, message_content(content_, messages_.size()), message_.size());
  messages_.push_back({is_text_, message_ == right, message_.size()});
  message_.clear();
}

#ifdef CELADON_HAS_ZLIB

// In place. The stream is made anew for each message, with what the ones before it have
// left: so a reader is copied like any value.
bool FrameReader::inflate(std::string& message) {
  constexpr std::size_t kWindow = 32 * 1024;
  message += std::string_view("\x00\x00\xFF\xFF", 4);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  if (!window_.empty()) {
    inflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(window_.data()),
                         static_cast<uInt>(window_.size()));
  }
  stream.next_in = reinterpret_cast<Bytef*>(message.data());
  stream.avail_in = static_cast<uInt>(message.size());
  std::string out;
  std::array<char, 16 * 1024> piece;
  int result = Z_OK;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    result = ::inflate(&stream, Z_SYNC_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  } while (result == Z_OK && stream.avail_out == 0);
  const bool whole = (result == Z_OK || result == Z_BUF_ERROR) && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!forgets_) {
    window_ += out;
    window_.erase(0, window_.size() - std::min(window_.size(), kWindow));
  }
  message = std::move(out);
  return whole;
}

#else

// Without zlib no server agrees on it.
bool FrameReader::inflate(std::string&) {
  return false;
}

#endif

}  // namespace celadon::sim
