// The record of one stream. States are in stream_state.h; what becomes of it the
// session decides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/intrusive_list.h"
#include "base/out_queue.h"
#include "h2/body_length.h"
#include "h2/events.h"
#include "h2/frame.h"
#include "h2/stream_state.h"

namespace celadon::h2 {

struct RelievedTag;

class Stream : public ListHook<Stream>, public ListHook<RelievedTag> {
 public:
  using Trailers = std::vector<std::pair<std::string, std::string>>;

  explicit Stream(StreamId id) noexcept : id_(id) {}

  [[nodiscard]] StreamId id() const noexcept { return id_; }
  [[nodiscard]] Receiving receiving() const noexcept { return receiving_; }
  [[nodiscard]] Sending sending() const noexcept { return sending_; }
  [[nodiscard]] Holder holder() const noexcept { return holder_; }
  // Bytes of the answer's body that have not left, and that have.
  [[nodiscard]] std::size_t queued() const noexcept {
    return queue_ ? queue_->bytes() : 0;
  }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  // Bytes of the request's body that were not credited.
  [[nodiscard]] std::size_t unread() const noexcept { return unread_; }

  void set_events(StreamEvents* events) noexcept { events_ = events; }

  // --- for its session ---
  void set_receiving(Receiving to) noexcept {
    ASSERT(kReceivingTable.has(receiving_, to), "no such step of receiving");
    receiving_ = to;
  }
  void set_sending(Sending to) noexcept {
    ASSERT(kSendingTable.has(sending_, to), "no such step of sending");
    sending_ = to;
  }
  void set_holder(Holder to) noexcept {
    ASSERT(kHolderTable.has(holder_, to), "no such step of its holder");
    holder_ = to;
  }
  // Nothing comes or goes any more.
  void cut() noexcept {
    if (receiving_ != Receiving::Over) set_receiving(Receiving::Over);
    if (sending_ != Sending::Over) set_sending(Sending::Over);
  }
  [[nodiscard]] bool is_over() const noexcept {
    return receiving_ == Receiving::Over && sending_ == Sending::Over;
  }
  [[nodiscard]] StreamEvents* events() const noexcept { return events_; }
  [[nodiscard]] BodyLength& length() noexcept { return length_; }
  [[nodiscard]] OutQueue& queue(OutPool& pool) {
    if (!queue_) queue_ = pool.take();
    return *queue_;
  }
  // Once nothing more will be put into it.
  void give_back_queue(OutPool& pool) noexcept {
    if (queue_) pool.put(std::move(queue_));
  }
  void note_sent(std::size_t bytes) noexcept { sent_ += bytes; }
  void note_got(std::size_t bytes) noexcept { unread_ += bytes; }
  // As many of them as there are.
  [[nodiscard]] std::size_t take_credit(std::size_t bytes) noexcept {
    const std::size_t taken = std::min(bytes, unread_);
    unread_ -= taken;
    return taken;
  }
  void set_trailers(std::unique_ptr<Trailers> trailers) noexcept {
    trailers_ = std::move(trailers);
  }
  [[nodiscard]] std::unique_ptr<Trailers> take_trailers() noexcept {
    return std::move(trailers_);
  }
  [[nodiscard]] bool has_trailers() const noexcept { return trailers_ != nullptr; }
  // What its head weighs in the budgets.
  [[nodiscard]] std::size_t weight() const noexcept { return weight_; }
  void set_weight(std::size_t bytes) noexcept { weight_ = bytes; }
  // Whoever writes to it was told to wait.
  [[nodiscard]] bool is_awaited() const noexcept { return awaited_; }
  void set_awaited(bool awaited) noexcept { awaited_ = awaited; }
  // Whose fault its reset is was settled. False: it was before.
  [[nodiscard]] bool settle_blame() noexcept { return !std::exchange(blamed_, true); }

 private:
  const StreamId id_;
  Receiving receiving_ = Receiving::Head;
  Sending sending_ = Sending::Waiting;
  Holder holder_ = Holder::Codec;
  bool awaited_ = false;
  bool blamed_ = false;
  StreamEvents* events_ = nullptr;
  BodyLength length_;
  std::unique_ptr<OutQueue> queue_;
  std::unique_ptr<Trailers> trailers_;
  std::size_t unread_ = 0;
  std::size_t weight_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace celadon::h2
