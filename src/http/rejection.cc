#include "http/rejection.h"

#include <utility>

namespace celadon::http {

RejectionInfo rejection_info(Rejection rejection) noexcept {
  switch (rejection) {
    case Rejection::None: return {200, ""};
    case Rejection::BadRequestLine: return {400, "malformed request line"};
    case Rejection::BadTarget: return {400, "malformed request target"};
    case Rejection::BadVersion: return {400, "malformed HTTP version"};
    case Rejection::BadHeaderName: return {400, "malformed header name"};
    case Rejection::BadHeaderValue: return {400, "control byte in a header value"};
    case Rejection::BadPseudoHeader: return {400, "malformed pseudo-header"};
    case Rejection::ConnectionField: return {400, "header of a connection"};
    case Rejection::ObsoleteFold: return {400, "folded header line"};
    case Rejection::BadLineEnd: return {400, "bare CR or LF"};
    case Rejection::BadHost: return {400, "missing or invalid Host"};
    case Rejection::BadContentLength: return {400, "invalid Content-Length"};
    case Rejection::BadTransferEncoding: return {400, "invalid Transfer-Encoding"};
    case Rejection::RepeatedSingleton:
      return {400, "repeated header that must be single"};
    case Rejection::BadChunk: return {400, "malformed chunked body"};
    case Rejection::BadTrailer: return {400, "malformed trailer"};
    case Rejection::BadForwarded: return {400, "contradictory scheme headers"};
    case Rejection::PlainHttp: return {400, "this port speaks https"};
    case Rejection::IncompleteBody: return {400, "incomplete body"};
    case Rejection::SlowHead: return {408, "request head took too long"};
    case Rejection::SlowBody: return {408, "request body took too long"};
    case Rejection::TraceMethod: return {405, "method not allowed"};
    case Rejection::BodyTooLarge: return {413, "request body too large"};
    case Rejection::LineTooLong: return {414, "request line too long"};
    case Rejection::WrongHost: return {421, "host not served here"};
    case Rejection::UnmetExpectation: return {417, "unknown expectation"};
    case Rejection::HeadTooLarge: return {431, "request header fields too large"};
    case Rejection::UnknownMethod: return {501, "method not implemented"};
    case Rejection::ConnectMethod: return {501, "CONNECT not implemented"};
    case Rejection::UnknownCoding: return {501, "transfer coding not implemented"};
    case Rejection::Overloaded: return {503, "server overloaded"};
    case Rejection::UnknownVersion: return {505, "HTTP version not supported"};
    case Rejection::SpoolFailed: return {500, "request body could not be stored"};
    case Rejection::AppFailed: return {500, "internal server error"};
    case Rejection::AppTimedOut: return {504, "request timed out"};
  }
  std::unreachable();
}

}  // namespace celadon::http
