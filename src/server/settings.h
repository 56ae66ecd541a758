// What the settings table says, resolved: durations in nanoseconds (kNever: off), sizes
// in bytes. One struct for the server and every session of it; set before start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "http/limits.h"
#include "net/address.h"
#include "net/proxy_protocol.h"

namespace celadon::server {

struct Settings {
  http::Limits limits;

  Nanos header_timeout = 10 * kSecond;
  Nanos tls_handshake_timeout = 5 * kSecond;
  std::size_t tls_handshakes = 500;  // in progress; 0: any number
  Nanos body_timeout = 10 * kSecond;
  Nanos body_total_timeout = kNever;
  Nanos keepalive = 75 * kSecond;  // 0: a connection ends with its answer
  Nanos write_timeout = 30 * kSecond;
  Nanos linger_timeout = 2 * kSecond;         // without a byte
  Nanos linger_total_timeout = 30 * kSecond;  // in all
  Nanos queue_timeout = kNever;
  std::uint64_t body_min_rate = 500;   // bytes per second; 0: off
  std::uint64_t write_min_rate = 500;  // likewise

  std::size_t body_buffer = 64 * 1024;
  std::size_t response_buffer = 256 * 1024;
  std::size_t linger_bytes = 64 * 1024 * 1024;
  std::size_t worker_connections = 1000;
  bool always_lets_in = false;  // where all have something to do, the oldest goes
  std::size_t max_concurrent_requests = 0;  // 0: as many as connections
  std::size_t queue_depth = 1000;
  unsigned retry_after = 1;                 // seconds
  std::vector<std::string> priority_paths;  // admitted first; "*" at the end: a prefix

  // A request that takes longer is described in the log; 0: none is.
  Nanos slow_request = 0;
  bool server_timing = false;  // the answer says where the time went

  bool request_buffering = false;
  std::string tmp_upload_dir = "/tmp";

  std::string server_header = "celadon";  // empty: none
  bool date_header = true;
  std::vector<std::string> response_headers;  // lines of all answers, "Name: value"
  std::string request_id_header = "X-Request-ID";  // empty: none
  bool trace_context = true;                       // requests have trace ids

  net::ProxyMode proxy_protocol = net::ProxyMode::Off;
  net::Networks proxy_allow;
  net::Networks forwarded_allow;
  std::vector<std::string> allowed_hosts;         // empty: every host
  std::vector<std::string> cancel_on_disconnect;  // methods
};

}  // namespace celadon::server
