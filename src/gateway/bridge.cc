#include "gateway/bridge.h"

#include <algorithm>
#include <utility>

#include "gateway/text.h"
#include "http/chars.h"
#include "http/request_start.h"
#include "py/error.h"

namespace celadon::gateway {

Bridge::Bridge(green::Hub& hub, py::Object app, py::Object log_exception,
               Options options, LogSink& log) noexcept
    : hub_(hub),
      app_(std::move(app)),
      log_exception_(std::move(log_exception)),
      options_(std::move(options)),
      log_(log),
      websockets_{.loop = hub.loop(),
                  .options = options_.websocket,
                  .log = log,
                  .counters = counters_,
                  .load = &own_load_} {}

bool Bridge::cancels(std::string_view method) const noexcept {
  const auto& methods = options_.cancel_on_disconnect;
  return std::ranges::find(methods, method) != methods.end();
}

void Bridge::note_dropped_header(std::string_view name) noexcept {
  constexpr std::size_t kMostNames = 64;
  ++counters_->dropped_headers;
  if (dropped_names_.size() >= kMostNames) return;
  if (!dropped_names_.insert(std::string(name)).second) return;
  log_.log(Level::Warning,
           "the application sets the hop-by-hop header \"" + std::string(name) +
               "\", which is the server's to set; it is dropped (said once)");
}

Nanos Bridge::deadline_of(const server::Exchange& exchange) const noexcept {
  Nanos end = kNever;
  if (options_.request_timeout != kNever)
    end = exchange.started_at + options_.request_timeout;
  const std::string& header = options_.request_deadline_header;
  if (header.empty() || !exchange.connection().trusted) return end;
  const http::Request& request = exchange.request();
  for (const http::Field& field : request.fields) {
    if (!http::equals_ignoring_case(request.name(field), header)) continue;
    if (const auto patience = http::parse_patience(header, request.value(field)))
      end = std::min(end, exchange.received_at + *patience);
  }
  return end;
}

void Bridge::log_error(PyObject* environ) noexcept {
  const py::Object error = py::take_error();
  if (!error) return;
  const py::Object done(
      PyObject_CallFunctionObjArgs(log_exception(), error.get(), environ, nullptr));
  if (!done) PyErr_WriteUnraisable(log_exception());
}

void log_environ(server::Exchange& exchange, const Options& options,
                 PyObject* environ) noexcept {
  for (const std::string& name : options.logged_environ) {
    const py::Object key = to_str(name);
    PyObject* value = key ? PyDict_GetItemWithError(environ, key.get()) : nullptr;
    const py::Object text(value ? PyObject_Str(value) : nullptr);
    Py_ssize_t size = 0;
    const char* data = text ? PyUnicode_AsUTF8AndSize(text.get(), &size) : nullptr;
    if (data) exchange.log_environ(name, {data, static_cast<std::size_t>(size)});
    PyErr_Clear();
  }
}

}  // namespace celadon::gateway
