// Why a connection is ended by us. The set is closed: ends are counted and logged by
// it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "h2/frame.h"

namespace celadon::h2 {

enum class Fault : std::uint8_t {
  None,
  BadPreface,     // it is no HTTP/2 at all
  BadFrame,       // nghttp2 found a connection error; failure_code() says which
  BadPriority,    // a PRIORITY frame of no stream, or of one that depends on itself
  StreamClosed,   // HEADERS or DATA of a stream that the peer has ended
  StreamOrder,    // HEADERS of a stream that was passed over (RFC 9113 5.1.1)
  RapidReset,     // H220
  Cancels,        // H220
  OwnResets,      // H221
  Continuations,  // H222
  HeaderBomb,     // H223
  ControlQueue,   // H225
  SettingsFlood,  // H225
  EmptyFrames,    // H226
  WindowUpdates,  // H226
  Priorities,     // H226
  Overhead,       // H228
  Internal,       // nghttp2 failed
};
inline constexpr std::size_t kFaults = 18;

struct FaultInfo {
  Fault fault;
  ErrorCode code;
  std::string_view text;  // for the log, and for the GOAWAY frame
};

inline constexpr std::array<FaultInfo, kFaults> kFaultTable{{
    {Fault::None, ErrorCode::NoError, ""},
    {Fault::BadPreface, ErrorCode::ProtocolError, "bad connection preface"},
    {Fault::BadFrame, ErrorCode::ProtocolError, "protocol error"},
    {Fault::BadPriority, ErrorCode::ProtocolError, "bad PRIORITY frame"},
    {Fault::StreamClosed, ErrorCode::StreamClosed, "frame of an ended stream"},
    {Fault::StreamOrder, ErrorCode::ProtocolError, "stream out of order"},
    {Fault::RapidReset, ErrorCode::EnhanceYourCalm, "too many resets"},
    {Fault::Cancels, ErrorCode::EnhanceYourCalm, "too many cancelled requests"},
    {Fault::OwnResets, ErrorCode::EnhanceYourCalm, "too many faulty streams"},
    {Fault::Continuations, ErrorCode::EnhanceYourCalm, "too many CONTINUATION frames"},
    {Fault::HeaderBomb, ErrorCode::EnhanceYourCalm, "header block too large"},
    {Fault::ControlQueue, ErrorCode::EnhanceYourCalm, "too many answers not read"},
    {Fault::SettingsFlood, ErrorCode::EnhanceYourCalm, "too many settings"},
    {Fault::EmptyFrames, ErrorCode::EnhanceYourCalm, "too many empty frames"},
    {Fault::WindowUpdates, ErrorCode::EnhanceYourCalm, "too many window updates"},
    {Fault::Priorities, ErrorCode::EnhanceYourCalm, "too many priorities"},
    {Fault::Overhead, ErrorCode::EnhanceYourCalm, "too much overhead"},
    {Fault::Internal, ErrorCode::InternalError, "internal error"},
}};

[[nodiscard]] constexpr const FaultInfo& fault_info(Fault fault) noexcept {
  return kFaultTable[static_cast<std::size_t>(fault)];
}

namespace detail {
consteval bool faults_are_in_order() {
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (kFaultTable[i].fault != static_cast<Fault>(i)) return false;
  }
  return true;
}
static_assert(faults_are_in_order());
}  // namespace detail

}  // namespace celadon::h2
