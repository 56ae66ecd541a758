#include "module/master_object.h"

#include <fcntl.h>

#include <memory>

#include "master/master.h"
#include "module/listen.h"
#include "module/log_level.h"
#include "py/error.h"
#include "py/gil.h"
#include "py/type.h"

namespace celadon::module {
namespace {

// The interpreter's side: `fork`, `reload` and `reopen_logs` are Python functions.
class PythonHooks final : public master::Hooks {
 public:
  PythonHooks(PyObject* fork, PyObject* reload, PyObject* reopen) noexcept
      : fork_(py::Object::copy(fork)),
        reload_(py::Object::copy(reload)),
        reopen_(py::Object::copy(reopen)) {}

  pid_t fork() noexcept override { return number_of(fork_.get()); }
  int reload() noexcept override { return number_of(reload_.get()); }
  void reopen_logs() noexcept override {
    if (!py::Object(PyObject_CallNoArgs(reopen_.get()))) {
      PyErr_WriteUnraisable(reopen_.get());
    }
  }

 private:
  // -1 where it raised, which is reported.
  static int number_of(PyObject* call) noexcept {
    const py::Object result(PyObject_CallNoArgs(call));
    const long number = result ? PyLong_AsLong(result.get()) : -1;
    if (PyErr_Occurred()) PyErr_WriteUnraisable(call);
    return static_cast<int>(number);
  }
  py::Object fork_;
  py::Object reload_;
  py::Object reopen_;
};

// The master has no greenlets: its lines go to Python's logging at once.
class DirectLog final : public LogSink {
 public:
  explicit DirectLog(PyObject* write) noexcept : write_(py::Object::copy(write)) {}
  void log(Level level, std::string_view line) noexcept override {
    if (!py::Object(PyObject_CallFunction(write_.get(), "is#", to_python_level(level),
                                          line.data(),
                                          static_cast<Py_ssize_t>(line.size())))) {
      PyErr_WriteUnraisable(write_.get());
    }
  }

 private:
  py::Object write_;
};

struct Supervisor {
  Supervisor(PyObject* fork, PyObject* reload, PyObject* reopen, PyObject* log,
             int workers, const master::Limits& limits)
      : hooks(fork, reload, reopen), sink(log), master(hooks, sink, workers, limits) {
    master.loop().set_block_hook(&gil);
  }
  PythonHooks hooks;
  DirectLog sink;
  py::GilBlockHook gil;
  master::Master master;
  net::ListenOptions listen;
};

struct MasterObject {
  PyObject_HEAD Supervisor* supervisor;
};

Supervisor& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<MasterObject*>(self)->supervisor;
}

Nanos to_nanos(double seconds) noexcept {
  return static_cast<Nanos>(seconds * static_cast<double>(kSecond));
}

// Master(fork, reload, reopen_logs, log, *, workers, ...)
PyObject* master_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"fork",
                                "reload",
                                "reopen_logs",
                                "log",
                                "workers",
                                "startup_timeout",
                                "graceful_timeout",
                                "respawn_backoff",
                                "respawn_backoff_max",
                                "reload_surge",
                                "backlog",
                                "umask",
                                "reuse_port",
                                nullptr};
  PyObject *fork = nullptr, *reload = nullptr, *reopen = nullptr, *log = nullptr;
  int workers = 1, surge = 1, backlog = 2048, reuse_port = 0;
  unsigned umask = 0;
  double startup = 60, graceful = 30, backoff = 0.5, backoff_max = 30;
  if (!PyArg_ParseTupleAndKeywords(
          args, kwargs, "OOOO$iddddiiIp:Master", const_cast<char**>(names), &fork,
          &reload, &reopen, &log, &workers, &startup, &graceful, &backoff, &backoff_max,
          &surge, &backlog, &umask, &reuse_port)) {
    return nullptr;
  }
  const master::Limits limits{to_nanos(startup), to_nanos(graceful), to_nanos(backoff),
                              to_nanos(backoff_max), surge};
  auto* self = reinterpret_cast<MasterObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->supervisor = new Supervisor(fork, reload, reopen, log, workers, limits);
  net::ListenOptions& listen = self->supervisor->listen;
  listen.backlog = backlog;
  listen.unix_mode = 0777 & ~umask;
  listen.reuse_port = reuse_port != 0;
  return reinterpret_cast<PyObject*>(self);
}

void master_dealloc(PyObject* self) noexcept {
  delete reinterpret_cast<MasterObject*>(self)->supervisor;
  py::free_object(self);
}

PyObject* master_bind(PyObject* self, PyObject* address) noexcept {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(address, &size);
  if (!text) return nullptr;
  Supervisor& supervisor = self_of(self);
  auto socket =
      open_listener({text, static_cast<std::size_t>(size)}, supervisor.listen);
  if (!socket) return nullptr;
  PyObject* described = Py_BuildValue("si", socket->describe().c_str(),
                                      static_cast<int>(socket->address().port()));
  if (described) supervisor.master.add_listener(std::move(*socket));
  return described;
}

// The listening sockets as descriptors of the worker's own.
PyObject* take_listeners(master::Master& master) noexcept {
  py::Object list(PyList_New(0));
  if (!list) return nullptr;
  for (net::ListenSocket& socket : master.listeners()) {
    const int fd = ::fcntl(socket.fd(), F_DUPFD_CLOEXEC, 3);
    if (fd < 0) return PyErr_SetFromErrno(PyExc_OSError);
    const py::Object number(PyLong_FromLong(fd));
    if (!number || PyList_Append(list.get(), number.get()) < 0) return nullptr;
    socket.abandon();
  }
  return list.release();
}

PyObject* master_run(PyObject* self, PyObject*) noexcept {
  master::Outcome outcome = self_of(self).master.run();
  if (!outcome.is_worker) return PyLong_FromLong(outcome.status);
  PyObject* listeners = take_listeners(self_of(self).master);
  if (!listeners) return nullptr;
  return Py_BuildValue("iiN", outcome.slot, outcome.control.release(), listeners);
}

PyMethodDef master_methods[] = {
    {"bind", master_bind, METH_O, "bind(address) -> (description, port)"},
    {"run", master_run, METH_NOARGS,
     "run() -> the master's exit status, or in a new worker (slot, control descriptor, "
     "descriptors of the listening sockets)"},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot master_slots[] = {{Py_tp_new, py::as_slot(master_new)},
                              {Py_tp_dealloc, py::as_slot(master_dealloc)},
                              {Py_tp_methods, master_methods},
                              {0, nullptr}};
PyType_Spec master_spec{"celadon._core.Master", sizeof(MasterObject), 0,
                        Py_TPFLAGS_DEFAULT, master_slots};

}  // namespace

int add_master_type(PyObject* module) noexcept {
  return py::add_type(module, master_spec) ? 0 : -1;
}

}  // namespace celadon::module
