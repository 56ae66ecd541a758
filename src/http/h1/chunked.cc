#include "http/h1/chunked.h"

#include <algorithm>

#include "http/h1/parser.h"

namespace celadon::http::h1 {
namespace {

constexpr std::uint8_t kMostDigits = 16;
constexpr std::uint64_t kOverheadRatio = 16;
constexpr std::uint64_t kOverheadFree = 100 * 1024;

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::reject(Rejection why) noexcept {
  rejection_ = why;
  return Step::Rejected;
}

ChunkedDecoder::Step ChunkedDecoder::next(std::string_view& in,
                                          std::string_view& data) noexcept {
  if (rejection_ != Rejection::None) return Step::Rejected;
  while (state_ != State::Done) {
    if (in.empty()) return Step::NeedMore;
    if (state_ == State::Data) {
      const auto take =
          static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
      data = in.substr(0, take);
      in.remove_prefix(take);
      left_ -= take;
      if (left_ == 0) state_ = State::DataCr;
      return Step::Data;
    }
    const char c = in.front();
    in.remove_prefix(1);
    ++overhead_;
    if (!on_byte(c)) {
      return reject(rejection_ == Rejection::None ? Rejection::BadChunk : rejection_);
    }
    if (!overhead_ok()) return reject(Rejection::BadChunk);
  }
  return Step::Done;
}

bool ChunkedDecoder::overhead_ok() const noexcept {
  return overhead_ <= kOverheadFree || overhead_ <= kOverheadRatio * body_;
}

bool ChunkedDecoder::on_byte(char c) noexcept {
  switch (state_) {
    case State::Size: return on_size(c);
    case State::SizeLf: return on_size_lf(c);
    case State::DataCr: state_ = State::DataLf; return c == '\r';
    case State::DataLf:
      state_ = State::Size;
      digits_ = 0;
      return c == '\n';
    case State::Trailer: return on_trailer(c);
    default: return on_extension(c);
  }
}

bool ChunkedDecoder::on_size(char c) noexcept {
  if (is_hex(c)) {
    if (++digits_ > kMostDigits) return false;
    left_ = left_ << 4 | hex_value(c);
    return left_ <= static_cast<std::uint64_t>(INT64_MAX);
  }
  if (digits_ == 0) return false;
  if (c == '\r') {
    state_ = State::SizeLf;
    return true;
  }
  extension_ = 0;
  state_ = State::Extension;
  return c == ';';
}

// chunk-ext = *( ";" name [ "=" ( token / quoted-string ) ] ), without white space.
bool ChunkedDecoder::on_extension(char c) noexcept {
  if (c != '\r' && ++extension_ > limits_->chunk_extension) return false;
  switch (state_) {
    case State::Extension: state_ = State::ExtensionName; return is_token_char(c);
    case State::ExtensionName:
      if (c == '=') {
        state_ = State::ExtensionValue;
        return true;
      }
      break;
    case State::ExtensionValue:
      state_ = c == '"' ? State::Quoted : State::ExtensionToken;
      return c == '"' || is_token_char(c);
    case State::ExtensionToken: break;
    case State::Quoted:
      if (c == '"') state_ = State::QuoteEnd;
      if (c == '\\') state_ = State::QuotedEscape;
      return is_field_value({&c, 1});
    case State::QuotedEscape: state_ = State::Quoted; return is_field_value({&c, 1});
    case State::QuoteEnd:
      if (c != ';' && c != '\r') return false;
      break;
    default: return false;
  }
  if (c == ';') {
    state_ = State::Extension;
    return true;
  }
  if (c == '\r') {
    state_ = State::SizeLf;
    return true;
  }
  return is_token_char(c);
}

bool ChunkedDecoder::on_size_lf(char c) noexcept {
  if (c != '\n') return false;
  if (left_ == 0) {
    state_ = State::Trailer;
    return true;
  }
  body_ += left_;
  if (body_ > limits_->body) {
    rejection_ = Rejection::BodyTooLarge;
    return false;
  }
  state_ = State::Data;
  return true;
}

bool ChunkedDecoder::on_trailer(char c) noexcept {
  if (c != '\n') {
    line_.push_back(c);
    if (line_.size() > limits_->field_size + 1) {
      rejection_ = Rejection::HeadTooLarge;
      return false;
    }
    // A CR is the end of its line or an error, known one byte later.
    return line_.size() < 2 || line_[line_.size() - 2] != '\r';
  }
  if (line_.empty() || line_.back() != '\r') return false;
  line_.pop_back();
  return on_trailer_line();
}

bool ChunkedDecoder::on_trailer_line() noexcept {
  if (line_.empty()) {
    state_ = State::Done;
    return true;
  }
  if (line_.size() > limits_->field_size) {
    rejection_ = Rejection::HeadTooLarge;
    return false;
  }
  const auto [name, value] = split_field_line(line_);
  rejection_ = trailer_.take(name, value);
  line_.clear();
  return rejection_ == Rejection::None;
}

}  // namespace celadon::http::h1
