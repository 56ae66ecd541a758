// Why a request was refused, and with what. The set is closed: refusals are counted and
// logged by it.
#pragma once

#include <cstdint>
#include <string_view>

namespace celadon::http {

enum class Rejection : std::uint8_t {
  None,
  BadRequestLine,       // RL03 to RL06, RL13
  BadTarget,            // RL07, RL11, RL18
  BadVersion,           // RL14
  BadHeaderName,        // HF01, HF02, HF04
  BadHeaderValue,       // HF05
  BadPseudoHeader,      // H202, H203, H208
  ConnectionField,      // H205
  ObsoleteFold,         // HF03
  BadLineEnd,           // RL03, RL04, HF07
  BadHost,              // HO01, HO02
  BadContentLength,     // CL01, CL02
  BadTransferEncoding,  // TE02, TE03, TE05, TE06
  RepeatedSingleton,    // HF13
  BadChunk,             // CH02 to CH09
  BadTrailer,           // CH10
  BadForwarded,         // EN10: scheme headers that contradict each other
  PlainHttp,            // TL07: in the clear, where TLS is spoken
  IncompleteBody,       // CL06, CH09
  SlowHead,             // header_timeout
  SlowBody,             // body_timeout
  TraceMethod,          // CN13
  BodyTooLarge,         // CL07
  LineTooLong,          // RL17
  WrongHost,            // HO05
  UnmetExpectation,     // CN10
  HeadTooLarge,         // HF09
  UnknownMethod,        // RL13: a token longer than any method
  ConnectMethod,        // CN13
  UnknownCoding,        // TE04
  Overloaded,           // admission
  UnknownVersion,       // RL15, RL16
  SpoolFailed,          // the body could not be written to disk
  AppFailed,            // RS09: the application raised, or broke a rule
  AppTimedOut,          // request_timeout passed before the head was out
};

// True where the fault is the application's: the connection stays in sync.
[[nodiscard]] constexpr bool is_application_fault(Rejection r) noexcept {
  return r == Rejection::AppFailed || r == Rejection::AppTimedOut;
}

struct RejectionInfo {
  int status;
  std::string_view text;  // for the log and, without any request byte, for the page
};
[[nodiscard]] RejectionInfo rejection_info(Rejection rejection) noexcept;

}  // namespace celadon::http
