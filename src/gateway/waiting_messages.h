// Messages that wait for their application, in the order in which they came. An empty
// one holds next to nothing: most WebSockets are idle.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/memory.h"

namespace celadon::gateway {

struct Message {
  bool is_text;
  std::string data;
};

class WaitingMessages {
 public:
  [[nodiscard]] bool empty() const noexcept { return count() == 0; }
  [[nodiscard]] std::size_t count() const noexcept { return messages_.size() - first_; }
  // Of their data.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  void push(Message message) {
    bytes_ += message.data.size();
    if (messages_.size() == messages_.capacity() && first_ > count()) make_room();
    messages_.push_back(std::move(message));
  }
  // There is one.
  [[nodiscard]] Message pop() noexcept {
    Message message = std::move(messages_[first_++]);
    bytes_ -= message.data.size();
    if (empty()) clear();
    return message;
  }
  void clear() noexcept {
    messages_.clear();
    first_ = bytes_ = 0;
    if (messages_.capacity() > kKept) give_back(messages_);
  }

 private:
  static constexpr std::size_t kKept = 4;

  // Of those that were taken, where that is cheap.
  void make_room() noexcept {
    messages_.erase(messages_.begin(),
                    messages_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }

  std::vector<Message> messages_;
  std::size_t first_ = 0;  // those before it were taken
  std::size_t bytes_ = 0;
};

}  // namespace celadon::gateway
