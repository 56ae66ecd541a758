// From the settings that Python has checked to the structs of the rooms.
#pragma once

#include "gateway/options.h"
#include "green/watchdog.h"
#include "master/master.h"
#include "module/admin_process.h"
#include "py/ref.h"
#include "server/access_log.h"
#include "server/settings.h"
#include "tls/settings.h"

namespace celadon::module {

// What is said of an application by itself; objects are borrowed from the dict.
struct AppOptions {
  std::string mount;               // its prefix; empty: it is that of the root
  PyObject* app = nullptr;         // where it is mounted
  bool asgi = false;               // its interface, else WSGI
  PyObject* asgi_state = nullptr;  // of its lifespan
  bool proxy_headers = false;
};

struct Options {
  server::Settings server;
  gateway::Options bridge;
  std::vector<AppOptions> apps;   // that of the root first
  PyObject* asgi_loop = nullptr;  // of the worker, where one of them is of ASGI
  PyObject* tls = nullptr;        // celadon._core.Tls, or None
  Nanos graceful_timeout = 30 * kSecond;
  green::WatchLimits watch;
  std::vector<std::uint64_t> duration_bounds;  // nanoseconds, of requests' histogram
  std::vector<std::pair<std::string, std::string>> health_paths;
  Nanos timeout = 0;  // of workers; 0: none
  int backlog = 2048;
  std::uint32_t umask = 0;
  bool metrics = true;
  bool reuse_port = false;
  int tcp_keepalive = 0;           // seconds
  int log_level = 0;               // the least that the error log has, as Python counts
  std::uint64_t max_requests = 0;  // then another worker takes its place; 0: never
  std::uint64_t max_requests_jitter = 0;
  std::string access_log;  // path, "-", or empty for none
  int stdout_fd = 1;       // what "-" is
  std::string access_log_format;
  server::AccessStyle access_log_style = server::AccessStyle::Apache;
  server::AccessLog::Options access;
};

// Reads the dict that celadon.config makes: every key is required. False with an
// exception that names the key.
[[nodiscard]] bool read_options(PyObject* dict, Options& out) noexcept;

// Likewise, of certificates and what goes with them.
[[nodiscard]] bool read_tls_options(PyObject* dict, tls::Settings& out) noexcept;

struct MasterOptions {
  int workers = 1;
  master::Limits limits;
  master::Watch watch;
  net::ListenOptions listen;
  AdminOptions admin;
  std::string access_log;  // that of the workers
  int stdout_fd = 1;
  metrics::Slab::Room room;
  std::size_t log_ring = 0;  // bytes of a worker's ring; 0: none has one
};

[[nodiscard]] bool read_master_options(PyObject* dict, MasterOptions& out) noexcept;

}  // namespace celadon::module
