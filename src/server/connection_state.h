// What a client connection that speaks HTTP/1 is doing: three small machines, and which
// of their states go together. Two facts stand beside them, which they do not hold:
// whether a request has begun yet, and whether the end has to be a reset.
//
//   Input     what the peer sends
//             Open ──► Last ──► Ended
//               └────────────────▲
//             Open: requests may come.   Last: none is taken any more; the rest of a
//             body is read, anything else is discarded.   Ended: its end of file was
//             read.
//
//   Output    what goes to the peer
//             Idle ◄──► Queued ──► Blocked        all of them ──► Ended
//               ▲──────────────────── │
//             Idle: the kernel has everything.   Queued: held back, until the turn ends
//             at the latest.   Blocked: the kernel takes no more.   Ended: our end is
//             shut.
//
//   Request   the one at hand
//             Preface ──► Handshake ──► None
//                └────────────────────────▲
//
//                         None ◄──────────────────────────┐
//                          │  ▲ answered at once          │ its body is over
//                          ▼  │                           │
//                  Head ─► Offered ─► Active ─────► Answered
//                                       ├─► Lent ──► None
//                                       └─► Whole ─► None
//             Preface: waits for its PROXY header.   Handshake: of TLS, which has not
//             begun or not ended.   None: between two requests.   Head: part of a head
//             is there.   Offered: its receiver is being called. Active:
//             it is with the application, or on the way there.   Answered: only the
//             rest of its body is still to come.   Lent: the application has the
//             socket, until it returns.   Whole: its answer is, and the end of the
//             connection says so; the application has not released it yet. (A body that
//             is collected first is Active, and then Offered.)
//
// A connection is over once Input and Output have Ended; then it is closed. One whose
// Output has Ended and whose Input has not lingers: the peer's bytes are discarded, so
// that no reset destroys what it has not read yet (RFC 9112 9.6). It has no request at
// hand any more, but for one that is Whole. A request that is still with the
// application when both have Ended keeps the session, without its descriptor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/machine.h"

namespace celadon::server {

enum class Input : std::uint8_t { Open, Last, Ended };
enum class Output : std::uint8_t { Idle, Queued, Blocked, Ended };
enum class Stage : std::uint8_t {
  Preface,
  Handshake,
  None,
  Head,
  Offered,
  Active,
  Answered,
  Lent,
  Whole
};

inline constexpr std::size_t kInputs = 3;
inline constexpr std::size_t kOutputs = 4;
inline constexpr std::size_t kStages = 9;

inline constexpr Edge<Input> kInputEdges[]{
    {Input::Open, Input::Last},   // an answer or a refusal is the last
    {Input::Open, Input::Ended},  // end of file, or nothing is read any more
    {Input::Last, Input::Ended},  // likewise, or it was waited for long enough
};
inline constexpr Edge<Output> kOutputEdges[]{
    {Output::Idle, Output::Queued},   // it leaves with others
    {Output::Idle, Output::Blocked},  // the kernel did not take all of it
    {Output::Idle, Output::Ended},    // behind the last answer, or the peer is gone
    {Output::Queued, Output::Idle},   // the turn has ended
    {Output::Queued,
     Output::Blocked},                // likewise, and the kernel did not take all of it
    {Output::Queued, Output::Ended},  // the peer is gone
    {Output::Blocked, Output::Idle},  // the kernel has taken it
    {Output::Blocked, Output::Ended},  // the peer is gone, or takes nothing
};
inline constexpr Edge<Stage> kStageEdges[]{
    {Stage::Preface, Stage::None},       // the PROXY header was read
    {Stage::Preface, Stage::Handshake},  // likewise, and TLS begins behind it
    {Stage::Handshake, Stage::None},     // it is done, or has failed
    {Stage::None, Stage::Head},          // the first byte of a request came
    {Stage::None, Stage::Offered},       // a head is whole
    {Stage::Head, Stage::Offered},       // likewise
    {Stage::Head, Stage::None},          // it was refused, or never got whole
    {Stage::Offered, Stage::Active},     // its receiver took it and has returned
    {Stage::Offered, Stage::None},       // answered within the call
    {Stage::Offered, Stage::Answered},   // likewise, but for its body
    {Stage::Active, Stage::Offered},     // its body was collected, or will not be
    {Stage::Active, Stage::None},        // answered
    {Stage::Active, Stage::Answered},    // likewise, but for its body
    {Stage::Answered, Stage::None},      // which came, or will not be waited for
    {Stage::Active, Stage::Lent},        // the application took the socket (WS12)
    {Stage::Lent, Stage::None},          // it has returned
    {Stage::Active, Stage::Whole},       // the end of the connection ends its answer
    {Stage::Whole, Stage::None},         // the application has released it
};

inline constexpr auto kInputTable = make_edges<Input, kInputs>(kInputEdges);
inline constexpr auto kOutputTable = make_edges<Output, kOutputs>(kOutputEdges);
inline constexpr auto kStageTable = make_edges<Stage, kStages>(kStageEdges);
static_assert(kInputTable.is_whole(Input::Ended));
static_assert(kOutputTable.is_whole(Output::Ended));

struct ConnectionState {
  Input input = Input::Open;
  Output output = Output::Idle;
  Stage stage = Stage::None;

  bool operator==(const ConnectionState&) const = default;

  // Nothing comes and nothing goes: its descriptor is closed.
  [[nodiscard]] constexpr bool over() const noexcept {
    return input == Input::Ended && output == Output::Ended;
  }
  // Whatever comes is thrown away.
  [[nodiscard]] constexpr bool discards() const noexcept {
    return input == Input::Last && has_answered();
  }
  // Nothing of a request or its answer is still to come.
  [[nodiscard]] constexpr bool has_answered() const noexcept {
    return stage == Stage::None || stage == Stage::Whole;
  }
  [[nodiscard]] constexpr bool lingers() const noexcept {
    return output == Output::Ended && input != Input::Ended;
  }
};

// Which states go together.
[[nodiscard]] constexpr bool is_legal(ConnectionState s) noexcept {
  // Requests are only looked for where one may come.
  if ((s.stage == Stage::Preface || s.stage == Stage::Handshake ||
       s.stage == Stage::Answered) &&
      s.input != Input::Open && !s.over()) {
    return false;
  }
  // A head that is refused is none any more by the time it is answered.
  if (s.stage == Stage::Head && s.input == Input::Last) return false;
  if (s.stage == Stage::Preface && s.output != Output::Idle && !s.over()) return false;
  // Our end is shut only behind the last answer.
  if (s.output == Output::Ended && s.input == Input::Open) return false;
  if (s.lingers() && !s.has_answered()) return false;
  if (s.stage == Stage::Whole && s.input == Input::Open) return false;
  // Neither reads nor writes are the server's while another one has the socket.
  if (s.stage == Stage::Lent && !s.over() &&
      (s.input == Input::Open || s.output != Output::Idle)) {
    return false;
  }
  return true;
}

}  // namespace celadon::server
