// Asks every worker something, such as where its greenlets are: each writes JSON into a
// pipe that it finds in its mailbox, with the end of a line behind it. Those that write
// nothing for so long are held.
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
  // `note`: what goes with the pipe. `name`: of what they answer. `patience`: since
  // the last of them has written something.
  StackRound(loop::Loop& loop, master::Commons& commons, const net::Mailbox::Note& note,
             std::string name, Nanos patience, Done done) noexcept;
  ~StackRound() override;

  void start() noexcept;

 private:
  class Reader;

  void on_timer() noexcept override { finish(); }
  void on_part() noexcept;
  void on_reader_done() noexcept;
  void finish() noexcept;

  loop::Loop& loop_;
  master::Commons& commons_;
  const net::Mailbox::Note note_;
  const std::string name_;
  const Nanos patience_;
  Done done_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::size_t reading_ = 0;
  Nanos began_ = 0;
  bool finished_ = false;
};

}  // namespace celadon::module
