// Plain counters of this room; others read them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/histogram.h"
#include "http/method.h"
#include "http/rejection.h"

namespace celadon::server {

// Why a request was refused with a page of ours.
enum class Refused : std::uint8_t {
  Limit,
  QueueFull,
  QueueTimeout,
  Parse,
  BodySize,
  Slow,
  Host,
  Other,
};
inline constexpr std::array<std::string_view, 8> kRefusedNames{
    "limit",     "queue_full", "queue_timeout", "parse",
    "body_size", "slow",       "host",          "other"};
[[nodiscard]] Refused refused_for(http::Rejection why) noexcept;

// Why a connection ended.
enum class Closed : std::uint8_t {
  Client,  // it left, or broke off
  Answer,  // the last one said so
  Idle,    // keepalive passed
  Slow,    // another time limit did
  Evicted,
  Passed,  // to another worker, where it goes on
  Server,  // which stops
  Tls,     // the handshake failed
};
inline constexpr std::array<std::string_view, 8> kClosedNames{
    "client", "answer", "idle", "slow", "evicted", "passed", "server", "tls"};

struct Counters {
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
  std::uint64_t rejected = 0;    // refused with a page of ours
  std::uint64_t overloaded = 0;  // of these, by admission
  std::uint64_t accept_errors = 0;
  std::uint64_t accept_pauses = 0;  // worker_connections were open
  std::uint64_t evicted = 0;
  std::uint64_t client_gone = 0;  // while a request was with the application
  std::uint64_t timeouts_header = 0;
  std::uint64_t timeouts_handshake = 0;
  std::uint64_t timeouts_body = 0;
  std::uint64_t timeouts_write = 0;
  std::uint64_t timeouts_keepalive = 0;
  std::uint64_t hop_by_hop_dropped = 0;
  std::uint64_t passed = 0;       // connections that another server took over
  std::uint64_t handed_over = 0;  // of these, while the loop was held
  std::uint64_t taken = 0;        // or that were taken over from one
  std::uint64_t log_dropped = 0;  // lines of the access log
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::array<std::uint64_t, kRefusedNames.size()> refused{};
  std::array<std::uint64_t, kClosedNames.size()> closed{};
  Histogram<kLagBounds> queued;           // until the application began
  Histogram<kDurationBounds> first_byte;  // until the head of the answer left
  Histogram<kSizeBounds> request_body;
  Histogram<kSizeBounds> response_body;
};

// What there is now.
struct Load {
  std::uint64_t connections = 0;
  std::uint64_t in_flight = 0;   // requests with the application
  std::uint64_t queued = 0;      // requests behind them
  std::uint64_t idle = 0;        // connections between two requests
  std::uint64_t handshakes = 0;  // of TLS, in progress
  std::array<std::uint64_t, http::kMethods> active{};  // in flight, by their method
};

}  // namespace celadon::server
