// A client: writes its requests as the scenario has it, reads, and ends. It never looks
// into the server; what it got is judged elsewhere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/answers.h"
#include "sim/choices.h"
#include "sim/kernel.h"
#include "sim/scenario.h"
#include "sim/talk.h"

namespace celadon::sim {

// Where in the client's bytes a request lies.
struct Span {
  std::uint64_t begin;
  std::uint64_t head_end;
  std::uint64_t end;
  bool chunked;
  std::uint64_t body_end;  // before a trailer
};

// What a client does with all its requests, as bytes.
struct Script {
  Script(const Client& client, std::size_t number, bool proxied);

  const Client* plan;
  std::string bytes;
  std::vector<Span> spans;
  std::vector<Question> questions;
};

class SimClient {
 public:
  SimClient(const Client& plan, std::size_t number, const Rules& rules, Nanos epoch);

  enum class Move : std::uint8_t { None, Connect, Write, Read, End };
  // What it could do now; choices among several are the caller's.
  void moves(Nanos now, std::vector<Move>& into);
  void make(Move move, Kernel& kernel, int listener, Choices& choices, Nanos now);
  // When it could do something by itself; kNever: only if something comes.
  [[nodiscard]] Nanos next_time(Nanos now);

  [[nodiscard]] const Client& plan() const noexcept { return plan_; }
  [[nodiscard]] std::size_t number() const noexcept { return number_; }
  [[nodiscard]] Link* link() const noexcept { return link_; }
  [[nodiscard]] const Script& script() const noexcept { return script_; }
  [[nodiscard]] const AnswerReader& reader() const noexcept { return reader_; }
  // What it says on its WebSocket; null: it asks for none.
  [[nodiscard]] const Talk* talk() const noexcept { return talk_ ? &*talk_ : nullptr; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] bool shut() const noexcept { return shut_; }
  // It closed or reset before it had seen the server's end.
  [[nodiscard]] bool left() const noexcept { return left_; }
  [[nodiscard]] bool saw_end() const noexcept { return saw_end_; }
  [[nodiscard]] bool saw_reset() const noexcept { return saw_reset_; }
  [[nodiscard]] bool all_sent() const noexcept;
  // It has stopped reading for good.
  [[nodiscard]] bool stopped() const noexcept;
  // The most of one write or read, for the trace.
  [[nodiscard]] std::uint64_t moved() const noexcept { return moved_; }

 private:
  struct Gate {
    enum class Kind : std::uint8_t { Time, Answers, Continue, Tunnel };
    std::uint64_t offset;
    Kind kind;
    Number n;  // milliseconds, or which request
  };
  void add_gates(std::size_t request);
  void compose(Nanos now);
  [[nodiscard]] bool is_cut() const noexcept;
  [[nodiscard]] bool is_answered() const noexcept;
  [[nodiscard]] std::uint64_t limit() const noexcept;
  bool pass_gates(Nanos now);
  [[nodiscard]] bool may_write(Nanos now);
  [[nodiscard]] bool waits_for_answer(Nanos now);
  [[nodiscard]] bool may_read(Nanos now);
  [[nodiscard]] bool may_end(Nanos now);
  [[nodiscard]] bool told_to_go_on(std::size_t request) const;
  void write(Kernel& kernel, Choices& choices, Nanos now);
  void read(Kernel& kernel, Choices& choices, Nanos now);
  void end(Kernel& kernel);
  void close(Kernel& kernel, bool reset);

  const Client& plan_;
  const std::size_t number_;
  const Nanos epoch_;
  Script script_;
  AnswerReader reader_;
  std::optional<Talk> talk_;
  Link* link_ = nullptr;
  std::vector<Gate> gates_;
  std::size_t gate_ = 0;
  Nanos gate_until_ = kNever;
  Nanos end_at_ = kNever;
  Nanos read_at_ = 0;
  Nanos write_at_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t moved_ = 0;
  bool given_up_ = false;  // a final answer came before it was told to go on
  bool shut_ = false;
  bool closed_ = false;
  bool left_ = false;
  bool saw_end_ = false;
  bool saw_reset_ = false;
};

}  // namespace celadon::sim
