#include "ws/fault.h"

#include <utility>

#include "ws/close_code.h"

namespace celadon::ws {

FaultInfo fault_info(Fault fault) noexcept {
  using namespace close_code;
  switch (fault) {
    case Fault::None: return {kNormal, ""};
    case Fault::ReservedBits: return {kProtocolError, "reserved bit set"};
    case Fault::ReservedOpcode: return {kProtocolError, "reserved opcode"};
    case Fault::Unmasked: return {kProtocolError, "frame without a mask"};
    case Fault::LongControl: return {kProtocolError, "control frame too long"};
    case Fault::CutControl: return {kProtocolError, "fragmented control frame"};
    case Fault::BadLength: return {kProtocolError, "malformed frame length"};
    case Fault::Interleaved:
      return {kProtocolError, "message within a fragmented message"};
    case Fault::NothingToGoOn:
      return {kProtocolError, "continuation without a message"};
    case Fault::BadClose: return {kProtocolError, "malformed close frame"};
    case Fault::BadText: return {kBadData, "text is not UTF-8"};
    case Fault::BadReason: return {kBadData, "close reason is not UTF-8"};
    case Fault::BadDeflate: return {kBadData, "malformed compressed data"};
    case Fault::MessageTooLarge: return {kTooBig, "message too large"};
    case Fault::TooManyFragments: return {kTooBig, "too many fragments"};
    case Fault::Silent: return {kInternalError, "no answer to a ping"};
    case Fault::NoMemory: return {kInternalError, "out of memory"};
  }
  std::unreachable();
}

}  // namespace celadon::ws
