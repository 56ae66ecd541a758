// From answers to frames.
#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "base/assert.h"
#include "h2/callbacks.h"
#include "h2/session.h"

namespace celadon::h2 {
namespace {

constexpr std::size_t kSmallBody = 4096;  // copied: it costs less than to hold it

void release_owner(Owner owner) noexcept {
  if (owner.release) owner.release(owner.object);
}

// The fields of one block, as nghttp2 wants them. It copies what it needs, and writes
// names in lower case.
class Fields {
 public:
  void add(std::string_view name, std::string_view value) {
    const nghttp2_nv field{
        .name = bytes(name),
        .value = bytes(value),
        .namelen = name.size(),
        .valuelen = value.size(),
        .flags = NGHTTP2_NV_FLAG_NONE,
    };
    if (size_ < few_.size()) {
      few_[size_] = field;
    } else {
      if (size_ == few_.size()) many_.assign(few_.begin(), few_.end());
      many_.push_back(field);
    }
    ++size_;
  }
  void add(std::span<const http::HeaderView> fields) {
    for (const http::HeaderView& field : fields) add(field.name, field.value);
  }
  void add_status(int status) {
    const auto end =
        std::to_chars(status_.data(), status_.data() + status_.size(), status);
    add(":status", {status_.data(), end.ptr});
  }
  [[nodiscard]] const nghttp2_nv* data() const noexcept {
    return size_ > few_.size() ? many_.data() : few_.data();
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  // It writes to neither.
  static std::uint8_t* bytes(std::string_view text) noexcept {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }

  std::array<nghttp2_nv, 40> few_;
  std::vector<nghttp2_nv> many_;
  std::size_t size_ = 0;
  std::array<char, 12> status_;
};

}  // namespace

void Session::write(std::string& out, std::size_t most) noexcept {
  out_ = &out;
  most_ = most;
  while (!has_failed(state_) && out.size() < most) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(library_.get(), &bytes);
    if (size < 0) fail(Fault::Internal);
    // Its own GOAWAY leaves; a reset that is one too many does not.
    if (size <= 0 || state_ == State::Failing) break;
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
  out_ = nullptr;
  if (state_ == State::Failing) {
    append_goaway(out, last_, failure_code_, fault_info(fault_).text);
    set_state(State::Failed);
  }
  while (Stream* stream = relieved_.pop_front()) {
    if (stream->events()) stream->events()->on_writable();
  }
  retired_.clear();
}

void Session::send_interim(Stream& stream, int status,
                           std::span<const http::HeaderView> fields) noexcept {
  if (has_failed(state_) || stream.sending() != Sending::Waiting) return;
  Fields block;
  block.add_status(status);
  block.add(fields);
  CHECK(nghttp2_submit_headers(library_.get(), NGHTTP2_FLAG_NONE, stream.id(), nullptr,
                               block.data(), block.size(), nullptr) == 0,
        "nghttp2 takes no interim answer");
}

Taken Session::send_head(Stream& stream, int status,
                         std::span<const http::HeaderView> fields,
                         std::span<const http::HeaderView> own, Part part) noexcept {
  if (has_failed(state_) || stream.sending() != Sending::Waiting) return Taken::Gone;
  Fields block;
  block.add_status(status);
  block.add(fields);
  block.add(own);
  nghttp2_data_provider body{.source = {.ptr = &stream},
                             .read_callback = &Callbacks::read_data};
  CHECK(nghttp2_submit_response(library_.get(), stream.id(), block.data(), block.size(),
                                part == Part::Last ? nullptr : &body) == 0,
        "nghttp2 takes no answer");
  stream.set_sending(Sending::Begun);
  if (part == Part::Last) stream.set_sending(Sending::Ended);
  return Taken::Ok;
}

Taken Session::send_data(Stream& stream, std::string_view data, Owner owner,
                         Part part) noexcept {
  if (has_failed(state_) || stream.sending() != Sending::Begun) {
    release_owner(owner);
    return Taken::Gone;
  }
  OutQueue& queue = stream.queue(engine_.pool());
  if (!owner.release || data.size() <= kSmallBody) {
    queue.append_copy(data);
    release_owner(owner);
  } else {
    queue.append_owned(data, owner);
  }
  if (part == Part::Last) stream.set_sending(Sending::Ended);
  resume(stream);
  if (queue.bytes() <= engine_.options().response_buffer) return Taken::Ok;
  stream.set_awaited(true);
  return Taken::Full;
}

void Session::end(Stream& stream, std::span<const http::HeaderView> trailers) noexcept {
  if (has_failed(state_) || stream.sending() != Sending::Begun) return;
  if (!trailers.empty()) {
    auto kept = std::make_unique<Stream::Trailers>();
    for (const http::HeaderView& field : trailers) {
      kept->emplace_back(field.name, field.value);
    }
    stream.set_trailers(std::move(kept));
  }
  stream.set_sending(Sending::Ended);
  resume(stream);
}

void Session::credit(Stream& stream, std::size_t bytes) noexcept {
  const std::size_t taken = stream.take_credit(bytes);
  if (taken == 0 || has_failed(state_)) return;
  CHECK(nghttp2_session_consume(library_.get(), stream.id(), taken) == 0,
        "nghttp2 has no memory");
}

// It was put aside for want of data; or its head has not left yet, and it needs no
// word.
void Session::resume(Stream& stream) noexcept {
  static_cast<void>(nghttp2_session_resume_data(library_.get(), stream.id()));
}

// --- for nghttp2 ---

// How much of the body goes into the next frame; 0 and not the last: none is there.
std::size_t Session::next_data(Stream& stream, std::size_t most, bool& last) noexcept {
  const std::size_t size = std::min({most, stream.queued(), kMostData});
  last = stream.sending() == Sending::Ended && size == stream.queued();
  return size;
}

void Session::submit_trailers(Stream& stream) noexcept {
  const auto trailers = stream.take_trailers();
  Fields block;
  for (const auto& [name, value] : *trailers) block.add(name, value);
  CHECK(nghttp2_submit_trailer(library_.get(), stream.id(), block.data(),
                               block.size()) == 0,
        "nghttp2 takes no trailers");
}

void Session::put_data(Stream& stream, std::string_view head,
                       std::size_t size) noexcept {
  OutQueue& queue = stream.queue(engine_.pool());
  out_->append(head);
  std::size_t left = size;
  while (left > 0) {
    std::array<iovec, 8> parts;
    const std::size_t count = queue.gather(parts);
    std::size_t moved = 0;
    for (std::size_t i = 0; i < count && moved < left; ++i) {
      const std::size_t part = std::min(parts[i].iov_len, left - moved);
      out_->append(static_cast<const char*>(parts[i].iov_base), part);
      moved += part;
    }
    queue.consume(moved);
    left -= moved;
  }
  stream.note_sent(size);
  if (stream.is_awaited() && queue.bytes() <= engine_.options().response_buffer / 2) {
    stream.set_awaited(false);
    relieved_.push_back(stream);
  }
}

void Session::on_head_not_sent(Stream& stream) noexcept {
  if (stream.is_over()) return;
  reset(stream, ErrorCode::InternalError, Blame::Us);
  if (stream.events()) stream.events()->on_reset(ErrorCode::InternalError);
}

// Of one that nghttp2 sends for what it found.
void Session::on_goaway_sent(std::uint32_t code) noexcept {
  if (code == NGHTTP2_NO_ERROR || has_failed(state_)) return;
  fault_ = Fault::BadFrame;
  failure_code_ = static_cast<ErrorCode>(code);
  ++counters().faults[static_cast<std::size_t>(fault_)];
  set_state(State::Failed);
}

void Session::on_end_sent(Stream& stream) noexcept {
  if (stream.sending() != Sending::Over) stream.set_sending(Sending::Over);
  stop_peer_if_done(stream);
  retire_if_done(stream);
}

}  // namespace celadon::h2
