// From the settings that Python has checked to the structs of the rooms.
#pragma once

#include "green/watchdog.h"
#include "py/ref.h"
#include "server/settings.h"
#include "wsgi/bridge.h"

namespace celadon::module {

struct Options {
  server::Settings server;
  wsgi::BridgeOptions bridge;
  Nanos graceful_timeout = 30 * kSecond;
  green::WatchLimits watch;
  int backlog = 2048;
  std::uint32_t umask = 0;
  bool reuse_port = false;
  int control = -1;        // descriptor of the pair to the master; -1: there is none
  std::string access_log;  // path, "-", or empty for none
  std::string access_log_format;
};

// Reads the dict that celadon.config makes: every key is required. False with an
// exception that names the key.
[[nodiscard]] bool read_options(PyObject* dict, Options& out) noexcept;

}  // namespace celadon::module
