#include "ws/message_parser.h"

#include <algorithm>
#include <cstring>

#include "base/memory.h"
#include "ws/close_code.h"

namespace celadon::ws {
namespace {

constexpr unsigned kFin = 0x80;
constexpr unsigned kRsv1 = 0x40;
constexpr unsigned kRsv2And3 = 0x30;
constexpr unsigned kOpcode = 0x0F;
constexpr unsigned kMask = 0x80;
constexpr unsigned kSize = 0x7F;
constexpr unsigned kTwoBytes = 126;  // of length follow
constexpr unsigned kEightBytes = 127;
constexpr std::uint8_t kLengthAt = 2;
constexpr std::size_t kPiece = 4096;  // of compressed data, on the stack

}  // namespace

MessageParser::Step MessageParser::next(std::string_view& in) noexcept {
  while (part_ != Part::Faulty) {
    if (part_ == Part::Payload && left_ == 0) {
      const Step step = end_frame();
      if (step != Step::NeedMore) return step;
      continue;
    }
    if (in.empty()) {
      if (is_between_messages()) drop_message();
      return Step::NeedMore;
    }
    if (part_ == Part::Payload) {
      take_payload(in);
    } else if (take_head(in)) {
      judge_head();
    }
  }
  return Step::Faulty;
}

bool MessageParser::fail(Fault fault) noexcept {
  part_ = Part::Faulty;
  fault_ = fault;
  release();
  return false;
}

void MessageParser::release() noexcept {
  under_way_ = {};
  give_back(message_);
  if (deflation_ != nullptr) deflation_->release();
}

void MessageParser::drop_message() noexcept {
  if (message_.capacity() > kKept) {
    give_back(message_);
  } else {
    message_.clear();
  }
}

// --- the head of a frame ---

// True: what can be judged next is there.
bool MessageParser::take_head(std::string_view& in) noexcept {
  const std::size_t size = std::min<std::size_t>(need_ - had_, in.size());
  std::memcpy(head_.data() + had_, in.data(), size);
  in.remove_prefix(size);
  had_ = static_cast<std::uint8_t>(had_ + size);
  return had_ == need_;
}

void MessageParser::judge_head() noexcept {
  switch (part_) {
    case Part::First: judge_first(); break;
    case Part::Second: judge_second(); break;
    case Part::Length: judge_length(); break;
    default: begin_payload(); break;
  }
}

void MessageParser::judge_first() noexcept {
  const unsigned first = head_[0];
  if (!is_opcode(first & kOpcode)) {
    fail(Fault::ReservedOpcode);
    return;
  }
  opcode_ = static_cast<Opcode>(first & kOpcode);
  const bool compressed = (first & kRsv1) != 0;
  const bool may_be_compressed =
      deflation_ != nullptr && !is_control(opcode_) && opcode_ != Opcode::Continuation;
  if ((first & kRsv2And3) != 0 || (compressed && !may_be_compressed)) {
    fail(Fault::ReservedBits);
    return;
  }
  await(Part::Second, 2);
  if (!is_control(opcode_)) {
    judge_data_opcode(opcode_, compressed);
  } else if ((first & kFin) == 0) {
    fail(Fault::CutControl);
  }
}

void MessageParser::judge_data_opcode(Opcode opcode, bool compressed) noexcept {
  if (opcode == Opcode::Continuation) {
    if (is_between_messages()) fail(Fault::NothingToGoOn);
    return;
  }
  if (!is_between_messages()) {
    fail(Fault::Interleaved);
    return;
  }
  drop_message();
  under_way_.opcode = opcode;
  under_way_.compressed = compressed;
}

void MessageParser::judge_second() noexcept {
  const unsigned second = head_[1];
  const unsigned size = second & kSize;
  if ((second & kMask) == 0) {
    fail(Fault::Unmasked);
  } else if (size < kTwoBytes) {
    judge_size(size);
  } else if (is_control(opcode_)) {
    fail(Fault::LongControl);
  } else {
    await(Part::Length, kLengthAt + (size == kEightBytes ? 8 : 2));
  }
}

void MessageParser::judge_length() noexcept {
  std::uint64_t size = 0;
  for (std::size_t i = kLengthAt; i < had_; ++i) size = size << 8 | head_[i];
  const bool eight = had_ > kLengthAt + 2;
  const bool shortest = eight ? size > 0xFFFF : size >= kTwoBytes;
  if (shortest && size <= static_cast<std::uint64_t>(INT64_MAX)) {
    judge_size(size);
  } else {
    fail(Fault::BadLength);
  }
}

void MessageParser::judge_size(std::uint64_t size) noexcept {
  left_ = size;
  await(Part::Key, static_cast<std::uint8_t>(had_ + key_.size()));
  if (is_control(opcode_)) return;
  Message& message = under_way_;
  if (++message.fragments > options_->fragments()) {
    fail(Fault::TooManyFragments);
    return;
  }
  const std::uint64_t most =
      message.compressed ? options_->compressed() : options_->message;
  if (size > most - message.arrived) {
    fail(Fault::MessageTooLarge);
    return;
  }
  message.arrived += size;
}

void MessageParser::begin_payload() noexcept {
  std::memcpy(key_.data(), head_.data() + had_ - key_.size(), key_.size());
  part_ = Part::Payload;
  at_ = 0;
  if (is_control(opcode_)) control_size_ = 0;
}

// --- its payload ---

bool MessageParser::take_payload(std::string_view& in) noexcept {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
  const std::string_view piece = in.substr(0, size);
  in.remove_prefix(size);
  left_ -= size;
  const bool good = is_control(opcode_)     ? take_control(piece)
                    : under_way_.compressed ? take_compressed(piece)
                                            : take_plain(piece);
  at_ += size;
  return good;
}

bool MessageParser::take_control(std::string_view piece) noexcept {
  unmask(piece, control_.data() + control_size_, key_, at_);
  control_size_ = static_cast<std::uint8_t>(control_size_ + piece.size());
  return opcode_ != Opcode::Close || judge_close(false);
}

bool MessageParser::judge_close(bool whole) noexcept {
  const std::string_view payload = control_data();
  if (payload.size() < 2) {
    return !whole || payload.empty() || fail(Fault::BadClose);
  }
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint8_t>(payload[i]);
  };
  if (!is_close_code(unsigned{byte(0)} << 8 | byte(1))) return fail(Fault::BadClose);
  Utf8 reason;
  const bool good = reason.take(payload.substr(2)) && (!whole || reason.is_whole());
  return good || fail(Fault::BadReason);
}

bool MessageParser::take_plain(std::string_view piece) noexcept {
  const std::size_t old = message_.size();
  const std::size_t size = old + piece.size();
  // libstdc++ 12 tells the capacity in the place of the size.
  message_.resize_and_overwrite(size, [&](char* to, std::size_t) {
    unmask(piece, to + old, key_, at_);
    return size;
  });
  return judge_grown(old);
}

bool MessageParser::judge_grown(std::size_t old) noexcept {
  if (under_way_.opcode == Opcode::Text &&
      !under_way_.text.take(std::string_view(message_).substr(old)))
    return fail(Fault::BadText);
  return message_.size() <= options_->message || fail(Fault::MessageTooLarge);
}

bool MessageParser::take_compressed(std::string_view piece) noexcept {
  std::array<char, kPiece> plain;
  for (std::size_t done = 0; done < piece.size(); done += kPiece) {
    const std::string_view part = piece.substr(done, kPiece);
    unmask(part, plain.data(), key_, at_ + done);
    if (!inflate({plain.data(), part.size()})) return false;
  }
  return true;
}

bool MessageParser::inflate(std::string_view plain) noexcept {
  std::array<char, kPiece> piece;
  auto result = Inflater::Result{Inflater::Step::Full, 0};
  while (result.step == Inflater::Step::Full) {
    // One byte more than may be shows that it is too large.
    const auto room = 1 + static_cast<std::size_t>(std::min<std::uint64_t>(
                              kPiece - 1, options_->message - message_.size()));
    result = deflation_->inflater().inflate(plain, std::span(piece).first(room));
    const std::size_t old = message_.size();
    message_.append(piece.data(), result.made);
    if (!judge_grown(old)) return false;
  }
  if (result.step == Inflater::Step::Dry) return true;
  const bool is_ours = result.step == Inflater::Step::NoMemory;
  return fail(is_ours ? Fault::NoMemory : Fault::BadDeflate);
}

// --- ends ---

// NeedMore: nothing is whole yet.
MessageParser::Step MessageParser::end_frame() noexcept {
  const bool last = (head_[0] & kFin) != 0;
  had_ = 0;
  await(Part::First, 1);
  if (!is_control(opcode_)) return last ? end_message() : Step::NeedMore;
  if (opcode_ == Opcode::Close && !judge_close(true)) return Step::Faulty;
  given_ = opcode_;
  return Step::Control;
}

MessageParser::Step MessageParser::end_message() noexcept {
  if (under_way_.compressed) {
    // A message that ends behind a final block of its sender's has no tail.
    if (!deflation_->inflater().is_between_blocks()) {
      if (!inflate(kDeflateTail)) return Step::Faulty;
      if (!deflation_->inflater().is_between_blocks()) {
        fail(Fault::BadDeflate);
        return Step::Faulty;
      }
    }
    deflation_->end_inflating();
  }
  if (under_way_.opcode == Opcode::Text && !under_way_.text.is_whole()) {
    fail(Fault::BadText);
    return Step::Faulty;
  }
  given_ = under_way_.opcode;
  under_way_ = {};
  return Step::Message;
}

}  // namespace celadon::ws
