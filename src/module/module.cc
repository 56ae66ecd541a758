// The extension module: tables, and the object through which Python drives a worker.
#include <algorithm>
#include <memory>

#include "aio/api.h"
#include "asgi/bridge.h"
#include "green/api.h"
#include "green/hub.h"
#include "green/sockets/api.h"
#include "loop/signals.h"
#include "module/listen.h"
#include "module/master_object.h"
#include "module/series_object.h"
#include "module/stdio_relay.h"
#include "module/worker.h"
#include "py/brief.h"
#include "py/type.h"
#include "wsgi/bridge.h"

namespace celadon::module {
namespace {

struct ServerObject {
  PyObject_HEAD Worker* worker;
};

// The worker of this process that a fork has to know of. One hub, one worker.
Worker* running = nullptr;

Worker& worker_of(PyObject* self) noexcept {
  return *reinterpret_cast<ServerObject*>(self)->worker;
}

// Server(app, options, log_exception, log, access, errors, make_socket, notify, seat)
PyObject* server_new(PyTypeObject* type, PyObject* args, PyObject*) noexcept {
  PyObject *app = nullptr, *dict = nullptr, *log_exception = nullptr, *log = nullptr,
           *access = nullptr, *errors = nullptr, *make_socket = nullptr,
           *notify = nullptr, *seat_object = nullptr;
  if (!PyArg_ParseTuple(args, "OO!OOOOOOO:Server", &app, &PyDict_Type, &dict,
                        &log_exception, &log, &access, &errors, &make_socket, &notify,
                        &seat_object)) {
    return nullptr;
  }
  Seat* seat = nullptr;
  if (!get_seat(seat_object, seat)) return nullptr;
  if (!PyCallable_Check(app)) {
    py::raise_about(PyExc_TypeError, "the application is not callable: %U", app);
    return nullptr;
  }
  Options options;
  green::Hub* hub = green::Hub::create();
  if (!hub || !read_options(dict, options)) return nullptr;
  auto worker = std::make_unique<Worker>(
      *hub, std::move(options), py::Object::copy(app), py::Object::copy(log_exception),
      py::Object::copy(log), py::Object::copy(access), py::Object::copy(notify), seat);
  if (!worker->prepare(errors, make_socket)) return nullptr;
  auto* self = reinterpret_cast<ServerObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->worker = worker.release();
  return reinterpret_cast<PyObject*>(self);
}

void server_dealloc(PyObject* self) noexcept {
  Worker* worker = reinterpret_cast<ServerObject*>(self)->worker;
  if (running == worker) running = nullptr;
  // In a forked child its threads and descriptors are gone: leave the rest alone. Of
  // requests that hold out against their end, too, who may go on with them one day.
  if (worker && !worker->hub().forked_child() && !worker->has_requests()) delete worker;
  py::free_object(self);
}

PyObject* server_bind(PyObject* self, PyObject* args) noexcept {
  const char* text = nullptr;
  Py_ssize_t size = 0;
  int v6_only = 0;
  if (!PyArg_ParseTuple(args, "s#|p:bind", &text, &size, &v6_only)) return nullptr;
  const std::string_view address(text, static_cast<std::size_t>(size));
  if (!worker_of(self).bind(address, v6_only != 0)) return nullptr;
  const auto& listener = worker_of(self).server().listeners().back();
  return described(listener->socket(), listener->socket().address().port());
}

PyObject* server_run(PyObject* self, PyObject* signals) noexcept {
  running = &worker_of(self);
  const bool done = worker_of(self).run(PyObject_IsTrue(signals) == 1);
  return done ? py::none() : nullptr;
}

PyObject* server_stop(PyObject* self, PyObject* quick) noexcept {
  worker_of(self).stop(PyObject_IsTrue(quick) == 1);
  return py::none();
}

// publish_health(good, seconds)
PyObject* server_publish_health(PyObject* self, PyObject* args) noexcept {
  int good = 0;
  double seconds = 0;
  if (!PyArg_ParseTuple(args, "pd:publish_health", &good, &seconds)) return nullptr;
  constexpr double kMost = 1e9;
  const auto nanos = static_cast<Nanos>(std::clamp(seconds, 0.0, kMost) * 1e9);
  worker_of(self).publish_health(good != 0, nanos);
  return py::none();
}

PyObject* server_ask_for_another(PyObject* self, PyObject*) noexcept {
  worker_of(self).ask_for_another();
  return py::none();
}

PyObject* server_stats(PyObject* self, PyObject*) noexcept {
  const server::Server& s = worker_of(self).server();
  const server::Counters& c = s.counters();
  const gateway::Counters& b = worker_of(self).app_counters();
  const auto size = [](std::size_t n) { return static_cast<unsigned long long>(n); };
  return Py_BuildValue(
      "{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K}",
      "connections", size(s.load().connections), "in_flight", size(s.load().in_flight),
      "queued", size(s.load().queued), "accepted", c.accepted, "requests", c.requests,
      "rejected", c.rejected, "overloaded", c.overloaded, "accept_errors",
      c.accept_errors, "evicted", c.evicted, "client_gone", c.client_gone,
      "timeouts_header", c.timeouts_header, "timeouts_body", c.timeouts_body,
      "timeouts_write", c.timeouts_write, "timeouts_keepalive", c.timeouts_keepalive,
      "failed", b.failed, "timed_out", b.timed_out, "dropped_headers",
      b.dropped_headers, "passed", c.passed, "taken", c.taken);
}

PyMethodDef server_methods[] = {
    {"bind", server_bind, METH_VARARGS,
     "bind(address, v6_only=False) -> (description, port)"},
    {"run", server_run, METH_O, "run(signals)\n\nServe until stopped."},
    {"stop", server_stop, METH_O, "stop(quick)\n\nAny thread may call it."},
    {"ask_for_another", server_ask_for_another, METH_NOARGS,
     "Of the master: it takes the place of this worker. Any thread may call it."},
    {"stats", server_stats, METH_NOARGS, "Counters."},
    {"publish_health", server_publish_health, METH_VARARGS,
     "publish_health(good, seconds)\n\nThe verdict stands for so long."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot server_slots[] = {{Py_tp_new, py::as_slot(server_new)},
                              {Py_tp_dealloc, py::as_slot(server_dealloc)},
                              {Py_tp_methods, server_methods},
                              {0, nullptr}};
PyType_Spec server_spec{"celadon._core.Server", sizeof(ServerObject), 0,
                        Py_TPFLAGS_DEFAULT, server_slots};

// For os.register_at_fork.
PyObject* after_fork_in_child(PyObject*, PyObject*) noexcept {
  loop::Signals::after_fork_in_child();
  if (running) {
    running->after_fork_in_child();
  } else if (green::Hub* hub = green::Hub::left_by_fork()) {
    hub->after_fork_in_child();
  }
  return py::none();
}

PyObject* after_fork_in_parent(PyObject*, PyObject*) noexcept {
  if (green::Hub* hub = green::Hub::here()) hub->loop().note_fork();
  return py::none();
}

PyObject* relay_output(PyObject*, PyObject*) noexcept {
  stdio_relay().start();
  return Py_BuildValue("ii", stdio_relay().original(1), stdio_relay().original(2));
}

PyObject* stop_relay(PyObject*, PyObject*) noexcept {
  const py::WithoutGil released;
  stdio_relay().stop();
  return py::none();
}

// What a listener would be opened at, without opening it.
PyObject* parse_address(PyObject*, PyObject* address) noexcept {
  const char* text = PyUnicode_AsUTF8(address);
  if (!text) return nullptr;
  const auto target = net::parse_bind(text);
  if (!target) {
    return PyErr_Format(PyExc_ValueError, "cannot bind to '%s': %s", text,
                        describe(target.error()).data());
  }
  using Kind = net::BindTarget::Kind;
  switch (target->kind) {
    case Kind::Tcp:
      return Py_BuildValue("ssi", "tcp", target->host.c_str(), target->port);
    case Kind::Fd: return Py_BuildValue("ssi", "fd", "", target->fd);
    case Kind::UnixPath: return Py_BuildValue("ssi", "path", target->path.c_str(), 0);
    default: return Py_BuildValue("ssi", "abstract", target->path.c_str(), 0);
  }
}

PyObject* check_networks(PyObject*, PyObject* list) noexcept {
  const char* text = PyUnicode_AsUTF8(list);
  if (!text) return nullptr;
  if (net::Networks::parse(text)) return py::none();
  return PyErr_Format(PyExc_ValueError, "not a list of IP networks: %s", text);
}

PyMethodDef functions[] = {{"relay_output", relay_output, METH_NOARGS,
                            "relay_output() -> (stdout, stderr)\n\nFrom now on who "
                            "writes to them never waits; what they were."},
                           {"stop_relay", stop_relay, METH_NOARGS,
                            "Puts the descriptors back; in a fork it does nothing."},
                           {"parse_address", parse_address, METH_O,
                            "parse_address(text) -> (kind, host or path, number)"},
                           {"check_networks", check_networks, METH_O,
                            "check_networks(text)\n\nRaises ValueError."},
                           {"after_fork_in_child", after_fork_in_child, METH_NOARGS,
                            "Let go of the parent's things."},
                           {"after_fork_in_parent", after_fork_in_parent, METH_NOARGS,
                            "Remember that copies of descriptors exist."},
                           {nullptr, nullptr, 0, nullptr}};

int exec_module(PyObject* module) noexcept {
  // Names live in submodules by topic, so that _core itself stays small.
  const auto add_submodule = [module](const char* full_name, const char* name,
                                      int (*fill)(PyObject*) noexcept) {
    const py::Object sub(PyModule_New(full_name));
    if (!sub || fill(sub.get()) < 0) return -1;
    // So that `from celadon._core.green import ...` finds it.
    if (PyDict_SetItemString(PyImport_GetModuleDict(), full_name, sub.get()) < 0)
      return -1;
    return PyModule_AddObjectRef(module, name, sub.get());
  };
  if (add_submodule("celadon._core.green", "green", green::add_to_module) < 0 ||
      add_submodule("celadon._core.sockets", "sockets", green::sockets::add_to_module) <
          0 ||
      add_submodule("celadon._core.aio", "aio", aio::add_to_module) < 0 ||
      add_submodule("celadon._core.wsgi", "wsgi", wsgi::add_to_module) < 0 ||
      add_submodule("celadon._core.asgi", "asgi", asgi::add_to_module) < 0 ||
      add_submodule("celadon._core.metrics", "metrics", add_metrics) < 0) {
    return -1;
  }
  if (!py::add_type(module, server_spec) || add_master_type(module) < 0 ||
      add_tls(module) < 0) {
    return -1;
  }
  return PyModule_AddFunctions(module, functions);
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, py::as_slot(exec_module)},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, nullptr}};
PyModuleDef module_def{PyModuleDef_HEAD_INIT,
                       "celadon._core",
                       "The core of celadon.",
                       0,
                       nullptr,
                       module_slots,
                       nullptr,
                       nullptr,
                       nullptr};

}  // namespace
}  // namespace celadon::module

// NOLINTNEXTLINE(bugprone-reserved-identifier): the import system wants this name
PyMODINIT_FUNC PyInit__core() {
  return PyModuleDef_Init(&celadon::module::module_def);
}
