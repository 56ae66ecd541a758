// What both gateway interfaces are told of the settings.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "server/settings.h"
#include "ws/options.h"

namespace celadon::gateway {

// How a request is shown to its application: as an environ, or as a scope.
struct EnvironOptions {
  std::string software = "celadon";
  std::string root_path;  // SCRIPT_NAME
  std::string mount;      // the prefix below it of an application that is mounted
  bool multiprocess = false;
  bool proxy_headers = false;  // client address from trusted peers
  bool clear_untrusted_proxy_headers = false;
  std::vector<std::pair<std::string, std::string>> secure_scheme_headers;
  std::vector<std::string> forwarder_headers;  // upper-case names with underscores
  net::Networks forwarded_allow;
};

struct WebSocketOptions {
  ws::Options protocol;
  std::size_t queue = 32;            // messages that wait, then reading stops
  std::size_t queue_size = 4 << 20;  // likewise, bytes of them
  std::vector<std::string> origins;  // that may ask; empty: all
};

struct Options {
  EnvironOptions environ;
  Nanos request_timeout = 120 * kSecond;  // kNever: off
  std::string request_deadline_header;    // of trusted peers; empty: none
  std::vector<std::string> cancel_on_disconnect;
  std::vector<std::string> logged_environ;  // keys that the access log wants
  WebSocketOptions websocket;
};

}  // namespace celadon::gateway
