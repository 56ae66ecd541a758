#include "module/catalogue.h"

#include <cstddef>
#include <span>

#include "metrics/declaration.h"
#include "metrics/exposition.h"
#include "module/cells.h"

namespace celadon::module {
namespace {

using metrics::Catalogue;
using metrics::Row;
using metrics::RowFamily;

constexpr double kFromNanos = 1e-9;
constexpr std::string_view kDurations =
    "0.005,0.01,0.025,0.05,0.075,0.1,0.25,0.5,0.75,1,2.5,5,7.5,10";
constexpr std::string_view kSizes =
    "256,1024,4096,16384,65536,262144,1048576,4194304,16777216,67108864";

// NOLINTBEGIN(bugprone-macro-parentheses)
#define COUNT_CELL(member) (offsetof(WorkerCounts, member) / sizeof(std::uint64_t))
#define LOAD_CELL(member) (offsetof(WorkerLoad, member) / sizeof(std::uint64_t))
// NOLINTEND(bugprone-macro-parentheses)

std::string_view keep(std::string text) {
  static std::vector<std::unique_ptr<std::string>> kept;
  kept.push_back(std::make_unique<std::string>(std::move(text)));
  return *kept.back();
}

std::string_view label(std::string_view name, std::string_view value) {
  std::string text;
  metrics::append_label(text, name, value);
  return keep(std::move(text));
}

// Cells in a row, one for each name.
std::vector<Row> rows_of(std::string_view name,
                         std::span<const std::string_view> values, std::size_t first) {
  std::vector<Row> rows;
  for (const std::string_view value : values) {
    rows.push_back({label(name, value), first + rows.size()});
  }
  return rows;
}

RowFamily counter(std::string_view name, std::string_view help, std::size_t cell,
                  double scale = 1) {
  return {name, "counter", help, {{"", cell}}, scale};
}
RowFamily gauge(std::string_view name, std::string_view help, std::size_t cell) {
  return {name, "gauge", help, {{"", cell}}};
}
RowFamily durations(std::string_view name, std::string_view help, std::size_t cell) {
  return {name,
          "histogram",
          help,
          {{"", cell}},
          kFromNanos,
          kDurations,
          Histogram<kDurationBounds>::kBuckets};
}
RowFamily lags(std::string_view name, std::string_view help, std::size_t cell) {
  return {name,
          "histogram",
          help,
          {{"", cell}},
          kFromNanos,
          metrics::kLagLabels,
          Histogram<kLagBounds>::kBuckets};
}
RowFamily sizes(std::string_view name, std::string_view help, std::size_t cell) {
  return {name,
          "histogram",
          help,
          {{"", cell}},
          1,
          kSizes,
          Histogram<kSizeBounds>::kBuckets};
}

void add_requests(Catalogue& all, std::string_view scheme) {
  RowFamily active{
      "http_server_active_requests", "gauge", "Requests with the application.",
      rows_of("http_request_method", http::kMethodNames, LOAD_CELL(server.active))};
  for (Row& row : active.rows) {
    std::string labels(row.labels);
    metrics::append_label(labels, "url_scheme", scheme);
    row.labels = keep(std::move(labels));
  }
  all.push_back(std::move(active));
  all.push_back(sizes("http_server_request_body_size_bytes",
                      "Sizes of request bodies, of requests that have one.",
                      COUNT_CELL(server.request_body)));
  all.push_back(sizes("http_server_response_body_size_bytes", "Sizes of answers.",
                      COUNT_CELL(server.response_body)));
  all.push_back(counter("celadon_requests_total", "Requests whose head was read.",
                        COUNT_CELL(server.requests)));
  all.push_back(gauge("celadon_requests_queued",
                      "Requests that wait for their turn (max_concurrent_requests).",
                      LOAD_CELL(server.queued)));
  all.push_back(lags("celadon_request_queue_seconds",
                     "Time before the application began with a request.",
                     COUNT_CELL(server.queued)));
  all.push_back(durations("celadon_request_ttfb_seconds",
                          "Time until the first byte of an answer.",
                          COUNT_CELL(server.first_byte)));
  all.push_back({"celadon_requests_rejected_total", "counter",
                 "Requests that the server refused itself.",
                 rows_of("reason", server::kRefusedNames, COUNT_CELL(server.refused))});
  all.push_back({"celadon_timeouts_total",
                 "counter",
                 "Time limits that were passed.",
                 {{label("kind", "header"), COUNT_CELL(server.timeouts_header)},
                  {label("kind", "handshake"), COUNT_CELL(server.timeouts_handshake)},
                  {label("kind", "body"), COUNT_CELL(server.timeouts_body)},
                  {label("kind", "write"), COUNT_CELL(server.timeouts_write)},
                  {label("kind", "keepalive"), COUNT_CELL(server.timeouts_keepalive)},
                  {label("kind", "request"), COUNT_CELL(bridge.timed_out)}}});
  all.push_back(counter("celadon_requests_failed_total",
                        "Requests whose application raised, or broke a rule of WSGI.",
                        COUNT_CELL(bridge.failed)));
  all.push_back(counter("celadon_requests_abandoned_total",
                        "Requests whose client left before the answer.",
                        COUNT_CELL(server.client_gone)));
}

void add_tls(Catalogue& all) {
  std::vector<Row> rows;
  std::size_t cell = COUNT_CELL(tls.done);
  for (const std::string_view version : {"TLSv1.2", "TLSv1.3"}) {
    for (const std::string_view resumed : {"false", "true"}) {
      std::string labels;
      metrics::append_label(labels, "result", "ok");
      metrics::append_label(labels, "version", version);
      metrics::append_label(labels, "resumed", resumed);
      rows.push_back({keep(std::move(labels)), cell++});
    }
  }
  // The first of the names is that of those that did not fail.
  cell = COUNT_CELL(tls.failed);
  for (const std::string_view why : std::span(tls::kFailureNames).subspan(1)) {
    std::string labels;
    metrics::append_label(labels, "result", why);
    metrics::append_label(labels, "version", "");
    metrics::append_label(labels, "resumed", "");
    rows.push_back({keep(std::move(labels)), ++cell});
  }
  all.push_back({"celadon_tls_handshakes_total", "counter",
                 "Handshakes of TLS, and what they came to.", std::move(rows)});
  all.push_back(gauge("celadon_tls_handshakes_in_progress",
                      "Handshakes of TLS that have begun and not ended.",
                      LOAD_CELL(server.handshakes)));
}

void add_websockets(Catalogue& all) {
  all.push_back(
      gauge("celadon_websockets", "Open WebSockets.", LOAD_CELL(bridge.websockets)));
  all.push_back(counter("celadon_websockets_accepted_total", "WebSockets accepted.",
                        COUNT_CELL(bridge.websockets)));
  all.push_back(counter("celadon_websocket_faults_total",
                        "WebSockets that the server failed: their client broke a rule, "
                        "or was silent, or there was no memory for it.",
                        COUNT_CELL(bridge.websocket_faults)));
  all.push_back(
      {"celadon_websocket_messages_total",
       "counter",
       "Messages of WebSockets.",
       {{label("direction", "received"), COUNT_CELL(bridge.messages_received)},
        {label("direction", "sent"), COUNT_CELL(bridge.messages_sent)}}});
}

void add_tasks(Catalogue& all) {
  all.push_back({"celadon_asgi_tasks",
                 "gauge",
                 "Tasks of ASGI requests: those that answer, WebSockets too, and those "
                 "that go on behind their answer.",
                 {{label("state", "answering"), LOAD_CELL(bridge.tasks_answering)},
                  {label("state", "background"), LOAD_CELL(bridge.tasks_behind)}}});
}

void add_connections(Catalogue& all) {
  all.push_back(counter("celadon_connections_accepted_total", "Connections accepted.",
                        COUNT_CELL(server.accepted)));
  all.push_back({"celadon_connections_closed_total", "counter",
                 "Connections that ended at a worker, or left it for another.",
                 rows_of("reason", server::kClosedNames, COUNT_CELL(server.closed))});
  all.push_back(counter("celadon_connections_handed_over_total",
                        "Idle connections that went to another worker while the loop "
                        "was held.",
                        COUNT_CELL(server.handed_over)));
  all.push_back(counter("celadon_connections_taken_total",
                        "Connections taken over from another worker.",
                        COUNT_CELL(server.taken)));
  all.push_back(counter("celadon_accept_errors_total", "Failed attempts to accept.",
                        COUNT_CELL(server.accept_errors)));
  all.push_back(counter("celadon_accept_pauses_total",
                        "How often all of worker_connections were open.",
                        COUNT_CELL(server.accept_pauses)));
  all.push_back(
      gauge("celadon_connections", "Open connections.", LOAD_CELL(server.connections)));
  all.push_back(gauge("celadon_connections_idle", "Of these, between two requests.",
                      LOAD_CELL(server.idle)));
  all.push_back(counter("celadon_received_bytes_total", "Bytes read from clients.",
                        COUNT_CELL(server.received_bytes)));
  all.push_back(counter("celadon_sent_bytes_total", "Bytes sent to clients.",
                        COUNT_CELL(server.sent_bytes)));
  all.push_back({"celadon_log_lines_dropped_total",
                 "counter",
                 "Lines that a full ring lost.",
                 {{label("log", "access"), COUNT_CELL(server.log_dropped)}}});
}

void add_loop(Catalogue& all) {
  all.push_back(counter("celadon_loop_turns_total", "Turns of the loops.",
                        COUNT_CELL(loop.turns)));
  all.push_back(
      {"celadon_loop_seconds_total",
       "counter",
       "Where the time of the loops went; what is left of `work` is Python's.",
       {{label("state", "poll"), COUNT_CELL(loop.poll)},
        {label("state", "io"), COUNT_CELL(loop.io)},
        {label("state", "timers"), COUNT_CELL(loop.timers)},
        {label("state", "work"), COUNT_CELL(loop.work)}},
       kFromNanos});
  all.push_back(
      lags("celadon_loop_lag_seconds", "How late timers were.", COUNT_CELL(loop.lag)));
  all.push_back(lags("celadon_loop_blocked_seconds",
                     "Slices of greenlets longer than watchdog_threshold.",
                     COUNT_CELL(hub.held)));
  all.push_back(counter("celadon_gil_wait_seconds_total",
                        "Time that loops waited for the interpreter after a poll.",
                        COUNT_CELL(hub.gil_wait), kFromNanos));
}

void add_greenlets(Catalogue& all) {
  all.push_back({"celadon_greenlets",
                 "gauge",
                 "Greenlets that have work, and ready ones.",
                 {{label("state", "alive"), LOAD_CELL(hub.greenlets)},
                  {label("state", "ready"), LOAD_CELL(hub.ready)}}});
  const auto parked = std::span(kSpentNames).subspan(2);
  all.push_back({"celadon_greenlets_parked", "gauge",
                 "Greenlets by what they wait for.",
                 rows_of("on", parked, LOAD_CELL(hub.parked) + 2)});
  all.push_back(counter("celadon_greenlet_switches_total", "Switches to a greenlet.",
                        COUNT_CELL(hub.switches)));
  all.push_back(counter("celadon_greenlets_created_total", "Greenlets made.",
                        COUNT_CELL(hub.runners_created)));
  all.push_back(counter("celadon_greenlet_preemptions_total",
                        "Greenlets that were parked for computing too long.",
                        COUNT_CELL(hub.preemptions)));
  all.push_back(lags("celadon_greenlet_slice_seconds",
                     "How long greenlets ran without giving way.",
                     COUNT_CELL(hub.slices)));
}

constexpr std::string_view kGenerations[] = {"0", "1", "2"};

void add_collector(Catalogue& all) {
  const auto by_generation = [&](std::string_view name, std::string_view help,
                                 std::size_t cell) {
    all.push_back(
        {name, "counter", help, rows_of("cpython_gc_generation", kGenerations, cell)});
  };
  by_generation("cpython_gc_collections_total", "Collections of garbage.",
                COUNT_CELL(hub.collections));
  by_generation("cpython_gc_collected_objects_total", "Objects that they collected.",
                COUNT_CELL(hub.collected));
  by_generation("cpython_gc_uncollectable_objects_total",
                "Objects that they could not collect.", COUNT_CELL(hub.uncollectable));
  all.push_back(lags("celadon_gc_pause_seconds", "How long collections took.",
                     COUNT_CELL(hub.collector_pauses)));
}

}  // namespace

Catalogue make_catalogue(std::string_view scheme) {
  Catalogue all;
  add_requests(all, scheme);
  add_tls(all);
  add_websockets(all);
  add_tasks(all);
  add_connections(all);
  add_loop(all);
  add_greenlets(all);
  add_collector(all);
  return all;
}

std::string declare_request_duration(std::span<const std::uint64_t> bounds) {
  std::string text;
  for (const std::uint64_t bound : bounds) {
    if (!text.empty()) text += ',';
    // Divided, since a product would not be the nearest number.
    metrics::append_number(text, static_cast<double>(bound) / kSecond);
  }
  return metrics::to_text({kRequestDuration, "histogram",
                           "Time from the head of a request to the end of its answer.",
                           text});
}

}  // namespace celadon::module
