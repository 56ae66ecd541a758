// Asks every worker where its greenlets are: each writes into a pipe that it finds in
// its mailbox. Those that have not within a second are held.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loop/loop.h"
#include "master/commons.h"

namespace celadon::module {

class StackRound final : public loop::Disposable, private loop::Timer {
 public:
  // `done` gets the JSON text, once; then the round may be destroyed at a turn's end.
  using Done = std::function<void(const std::string& json)>;
  StackRound(loop::Loop& loop, master::Commons& commons, Done done) noexcept;
  ~StackRound() override;

  void start() noexcept;

 private:
  class Reader;

  void on_timer() noexcept override { finish(); }
  void on_reader_done() noexcept;
  void finish() noexcept;
  static constexpr Nanos kPatience = kSecond;

  loop::Loop& loop_;
  master::Commons& commons_;
  Done done_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::size_t reading_ = 0;
  bool finished_ = false;
};

}  // namespace celadon::module
