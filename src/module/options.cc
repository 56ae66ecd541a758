#include "module/options.h"

#include <algorithm>
#include <cmath>

#include "base/histogram.h"
#include "gateway/text.h"
#include "py/brief.h"

namespace celadon::module {
namespace {

// Fetches typed values; after the first failure it only keeps the exception.
class Reader {
 public:
  explicit Reader(PyObject* dict) noexcept : dict_(dict) {}
  [[nodiscard]] bool ok() const noexcept { return ok_; }

  template <class T>
  void integer(const char* key, T& out) noexcept {
    PyObject* value = get(key);
    if (!value) return;
    const long long number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred()) {
      ok_ = false;
    } else {
      out = static_cast<T>(number);
    }
  }

  void flag(const char* key, bool& out) noexcept {
    if (PyObject* value = get(key)) out = PyObject_IsTrue(value) == 1;
  }

  void number(const char* key, double& out) noexcept {
    PyObject* value = get(key);
    if (value) out = PyFloat_AsDouble(value);
    ok_ = ok_ && (!value || out != -1.0 || !PyErr_Occurred());
  }

  // Seconds as a float; 0 stays 0.
  void span(const char* key, Nanos& out) noexcept {
    PyObject* value = get(key);
    if (!value) return;
    const double seconds = PyFloat_AsDouble(value);
    ok_ = seconds != -1.0 || !PyErr_Occurred();
    constexpr double kMost = 9e9;
    if (ok_) out = static_cast<Nanos>(std::clamp(seconds, 0.0, kMost) * 1e9);
  }

  // Likewise; zero turns a timer off.
  void duration(const char* key, Nanos& out) noexcept {
    span(key, out);
    if (out == 0) out = kNever;
  }

  // Nanoseconds, of seconds as floats.
  void spans(const char* key, std::vector<std::uint64_t>& out) noexcept {
    for_each(key, [&](PyObject* item) {
      const double seconds = PyFloat_AsDouble(item);
      ok_ = seconds != -1.0 || !PyErr_Occurred();
      out.push_back(static_cast<std::uint64_t>(std::llround(seconds * 1e9)));
    });
  }

  void text(const char* key, std::string& out) noexcept {
    PyObject* value = get(key);
    if (value) convert(value, out);
  }

  // Borrowed.
  void object(const char* key, PyObject*& out) noexcept { out = get(key); }

  // Of dicts, each read by `read(reader, item)`.
  void apps(const char* key, std::vector<AppOptions>& out,
            void (*read)(Reader&, AppOptions&) noexcept) noexcept {
    for_each(key, [&](PyObject* dict) {
      Reader reader(dict);
      read(reader, out.emplace_back());
      ok_ = reader.ok();
    });
  }

  void list(const char* key, std::vector<std::string>& out) noexcept {
    for_each(key, [&](PyObject* item) {
      std::string text;
      convert(item, text);
      out.push_back(std::move(text));
    });
  }

  void pairs(const char* key,
             std::vector<std::pair<std::string, std::string>>& out) noexcept {
    PyObject* value = get(key);
    if (!value) return;
    PyObject *name = nullptr, *item = nullptr;
    Py_ssize_t at = 0;
    while (ok_ && PyDict_Next(value, &at, &name, &item)) {
      std::pair<std::string, std::string> pair;
      convert(name, pair.first);
      convert(item, pair.second);
      out.push_back(std::move(pair));
    }
  }

  void networks(const char* key, net::Networks& out) noexcept {
    std::string list;
    text(key, list);
    auto parsed = net::Networks::parse(list);
    if (ok_ && !parsed) {
      PyErr_Format(PyExc_ValueError, "%s: not a list of IP networks: %s", key,
                   list.c_str());
      ok_ = false;
    }
    if (parsed) out = std::move(*parsed);
  }

 private:
  PyObject* get(const char* key) noexcept {
    if (!ok_) return nullptr;
    PyObject* value = PyDict_GetItemString(dict_, key);
    if (!value) {
      PyErr_Format(PyExc_KeyError, "the core needs the setting %s", key);
      ok_ = false;
    }
    return value;
  }
  template <class F>
  void for_each(const char* key, F f) noexcept {
    PyObject* value = get(key);
    if (!value) return;
    const py::Object items(PySequence_Fast(value, key));
    ok_ = ok_ && items;
    for (Py_ssize_t i = 0; ok_ && i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
      f(PySequence_Fast_GET_ITEM(items.get(), i));
    }
  }
  void convert(PyObject* value, std::string& out) noexcept {
    Py_ssize_t size = 0;
    const char* data =
        PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &size) : nullptr;
    if (data) {
      out.assign(data, static_cast<std::size_t>(size));
      return;
    }
    if (!PyErr_Occurred()) py::raise_about(PyExc_TypeError, "not a str: %U", value);
    ok_ = false;
  }

  PyObject* dict_;
  bool ok_ = true;
};

// What a series takes, labels and cells together, as they mostly are.
constexpr std::size_t kSeriesBytes = 420;
constexpr std::size_t kLeastRoom = std::size_t{1} << 20;

void read_server(Reader& r, server::Settings& s) noexcept {
  r.integer("limit_request_line", s.limits.request_line);
  r.integer("limit_request_fields", s.limits.fields);
  r.integer("limit_request_field_size", s.limits.field_size);
  r.integer("limit_request_head", s.limits.head);
  r.integer("limit_request_body", s.limits.body);
  if (s.limits.body == 0) s.limits.body = UINT64_MAX;
  r.integer("chunk_extension_limit", s.limits.chunk_extension);
  r.flag("refuse_underscores", s.limits.refuse_underscores);
  r.flag("refuse_absolute_form", s.limits.refuse_absolute_form);
  r.duration("header_timeout", s.header_timeout);
  r.duration("tls_handshake_timeout", s.tls_handshake_timeout);
  r.integer("tls_handshakes", s.tls_handshakes);
  r.duration("body_timeout", s.body_timeout);
  r.duration("body_total_timeout", s.body_total_timeout);
  r.span("keepalive", s.keepalive);
  r.duration("write_timeout", s.write_timeout);
  r.duration("linger_timeout", s.linger_timeout);
  r.duration("linger_total_timeout", s.linger_total_timeout);
  r.duration("queue_timeout", s.queue_timeout);
  r.integer("body_min_rate", s.body_min_rate);
  r.integer("write_min_rate", s.write_min_rate);
  r.integer("body_buffer", s.body_buffer);
  r.integer("response_buffer", s.response_buffer);
  r.integer("linger_bytes", s.linger_bytes);
  r.integer("worker_connections", s.worker_connections);
  r.integer("max_concurrent_requests", s.max_concurrent_requests);
  r.integer("queue_depth", s.queue_depth);
  r.integer("retry_after", s.retry_after);
  r.list("priority_paths", s.priority_paths);
  r.text("request_id_header", s.request_id_header);
  r.flag("trace_context", s.trace_context);
  r.span("slow_request", s.slow_request);
  r.flag("server_timing", s.server_timing);
  r.flag("request_buffering", s.request_buffering);
  r.text("tmp_upload_dir", s.tmp_upload_dir);
  r.text("server_header", s.server_header);
  r.flag("date_header", s.date_header);
  r.list("response_headers", s.response_headers);
  int mode = 0;
  r.integer("proxy_protocol", mode);
  s.proxy_protocol = static_cast<net::ProxyMode>(mode & 3);
  r.networks("proxy_allow_ips", s.proxy_allow);
  r.networks("forwarded_allow_ips", s.forwarded_allow);
  r.list("allowed_hosts", s.allowed_hosts);
  r.list("cancel_on_disconnect", s.cancel_on_disconnect);
}

void read_bridge(Reader& r, gateway::Options& b) noexcept {
  r.duration("request_timeout", b.request_timeout);
  r.text("request_deadline_header", b.request_deadline_header);
  r.list("cancel_on_disconnect", b.cancel_on_disconnect);
  r.text("server_software", b.environ.software);
  r.text("root_path", b.environ.root_path);
  r.flag("multiprocess", b.environ.multiprocess);
  r.flag("clear_untrusted_proxy_headers", b.environ.clear_untrusted_proxy_headers);
  r.pairs("secure_scheme_headers", b.environ.secure_scheme_headers);
  r.list("forwarder_headers", b.environ.forwarder_headers);
  r.networks("forwarded_allow_ips", b.environ.forwarded_allow);
  r.integer("websocket_max_message_size", b.websocket.protocol.message);
  r.integer("websocket_max_queue", b.websocket.queue);
  r.integer("websocket_max_queue_size", b.websocket.queue_size);
  r.duration("websocket_ping_interval", b.websocket.protocol.ping_interval);
  r.duration("websocket_ping_timeout", b.websocket.protocol.ping_timeout);
  r.duration("websocket_close_timeout", b.websocket.protocol.close_timeout);
  r.list("websocket_origins", b.websocket.origins);
  r.flag("websocket_compression", b.websocket.protocol.deflate.enabled);
}

void read_access_log(Reader& r, Options& out) noexcept {
  r.text("access_log", out.access_log);
  r.integer("stdout_fd", out.stdout_fd);
  r.text("access_log_format", out.access_log_format);
  int style = 0;
  r.integer("access_log_style", style);
  out.access_log_style = static_cast<server::AccessStyle>(style);
  server::AccessFilter& filter = out.access.filter;
  r.number("access_log_sample", filter.sample);
  r.span("access_log_slow", filter.slow);
  r.integer("access_log_min_status", filter.min_status);
  r.list("access_log_skip", filter.skip);
  r.flag("log_overflow_blocks", out.access.block);
  out.bridge.logged_environ =
      server::AccessFormat::make(out.access_log_style, out.access_log_format, 0)
          .environ_names();
}

void read_app(Reader& r, AppOptions& out) noexcept {
  std::string interface;
  r.text("interface", interface);
  out.asgi = interface == "asgi";
  r.object("asgi_state", out.asgi_state);
  r.flag("proxy_headers", out.proxy_headers);
}

void read_mount(Reader& r, AppOptions& out) noexcept {
  r.text("prefix", out.mount);
  r.object("app", out.app);
  read_app(r, out);
}

}  // namespace

bool read_options(PyObject* dict, Options& out) noexcept {
  Reader r(dict);
  read_server(r, out.server);
  read_bridge(r, out.bridge);
  read_app(r, out.apps.emplace_back());
  r.apps("mounts", out.apps, read_mount);
  r.object("asgi_loop", out.asgi_loop);
  r.object("tls", out.tls);
  r.duration("graceful_timeout", out.graceful_timeout);
  r.duration("watchdog_threshold", out.watch.report);
  r.duration("hand_over_after", out.watch.hand_over);
  r.integer("stack_signal", out.watch.report_signal);
  r.integer("stack_pipe", out.watch.report_pipe);
  r.duration("timeout", out.watch.alarm);
  if (out.watch.alarm != kNever) out.watch.alarm /= 2;
  bool raises = false;
  r.flag("watchdog_raise", raises);
  if (raises) out.watch.raise = out.watch.alarm;
  r.integer("stacks_signal", out.watch.alarm_signal);
  r.integer("log_fd", out.watch.log_fd);
  r.flag("log_later", out.watch.log_later);
  r.integer("log_level", out.log_level);
  r.duration("preempt", out.watch.preempt);
  r.integer("preempt_signal", out.watch.preempt_signal);
  r.flag("metrics", out.metrics);
  r.spans("metrics_buckets", out.duration_bounds);
  r.pairs("health_paths", out.health_paths);
  r.span("timeout", out.timeout);
  r.integer("backlog", out.backlog);
  r.integer("max_requests", out.max_requests);
  r.integer("max_requests_jitter", out.max_requests_jitter);
  r.integer("umask", out.umask);
  r.flag("reuse_port", out.reuse_port);
  r.integer("tcp_keepalive", out.tcp_keepalive);
  read_access_log(r, out);
  return r.ok();
}

bool read_tls_options(PyObject* dict, tls::Settings& out) noexcept {
  Reader r(dict);
  std::vector<std::pair<std::string, std::string>> pairs;
  r.pairs("certificates", pairs);
  for (auto& [cert, key] : pairs) out.pairs.push_back({cert, key});
  r.text("password", out.password);
  r.text("ca_certs", out.ca_certs);
  r.text("crl", out.crl);
  int verify = 0;  // of ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED
  r.integer("cert_reqs", verify);
  out.verify = verify == 0   ? tls::Verify::None
               : verify == 1 ? tls::Verify::Optional
                             : tls::Verify::Required;
  r.text("ciphers", out.ciphers);
  r.text("cipher_suites", out.cipher_suites);
  bool only_12 = false, only_13 = false;
  r.flag("only_tls12", only_12);
  r.flag("only_tls13", only_13);
  if (only_12) out.max_version = tls::Version::Tls12;
  if (only_13) out.min_version = tls::Version::Tls13;
  out.protocols.clear();
  r.list("protocols", out.protocols);
  r.flag("strict_names", out.strict_names);
  return r.ok();
}

bool read_master_options(PyObject* dict, MasterOptions& out) noexcept {
  Reader r(dict);
  r.integer("workers", out.workers);
  master::Limits& l = out.limits;
  r.span("startup_timeout", l.startup_timeout);
  r.span("graceful_timeout", l.graceful_timeout);
  r.span("respawn_backoff", l.backoff);
  r.span("respawn_backoff_max", l.backoff_max);
  r.integer("reload_surge", l.reload_surge);
  r.span("worker_max_lifetime", l.max_lifetime);
  r.span("worker_max_lifetime_jitter", l.max_lifetime_jitter);
  r.integer("slots", l.slots);
  r.span("timeout", out.watch.timeout);
  r.span("drain_delay", out.watch.drain_delay);
  r.span("alive_period", out.watch.alive_period);
  r.text("admin_token", out.admin.token);
  r.text("admin_allow_ips", out.admin.allowed);
  r.list("admin_open", out.admin.open);
  r.flag("admin_control", out.admin.control);
  r.integer("queue_depth", out.admin.queue_depth);
  r.text("build_labels", out.admin.build);
  out.admin.timeout = out.watch.timeout;
  r.integer("uid", out.admin.uid);
  r.integer("gid", out.admin.gid);
  r.text("access_log", out.access_log);
  r.integer("stdout_fd", out.stdout_fd);
  r.integer("log_ring", out.log_ring);
  r.integer("metrics_max_series", out.room.series);
  std::vector<std::uint64_t> bounds;
  r.spans("metrics_buckets", bounds);
  const std::size_t more = std::max(bounds.size(), kDurationBounds.size());
  const std::size_t bytes = kSeriesBytes + (more - kDurationBounds.size()) * 8;
  out.room.bytes = std::max(kLeastRoom, out.room.series * bytes);
  r.integer("worker_max_rss", out.watch.max_rss);
  r.integer("worker_kill_rss", out.watch.kill_rss);
  r.integer("backlog", out.listen.backlog);
  std::uint32_t umask = 0;
  r.integer("umask", umask);
  out.listen.unix_mode = 0777 & ~umask;
  r.flag("reuse_port", out.listen.reuse_port);
  r.integer("tcp_keepalive", out.listen.keepalive);
  return r.ok();
}

}  // namespace celadon::module
