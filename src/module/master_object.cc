#include "module/master_object.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "master/master.h"
#include "module/listen.h"
#include "module/log_level.h"
#include "module/options.h"
#include "module/series_home.h"
#include "module/stdio_relay.h"
#include "py/error.h"
#include "py/gil.h"
#include "py/type.h"

namespace celadon::module {
namespace {

// The interpreter's side: methods of one Python object. What they raise is reported.
class PythonHooks final : public master::Hooks {
 public:
  PythonHooks(PyObject* object, master::Commons& commons, AdminOptions admin) noexcept
      : object_(py::Object::copy(object)),
        commons_(commons),
        admin_(std::move(admin)) {}
  [[nodiscard]] AdminSockets& admin_sockets() noexcept { return admin_sockets_; }
  void set_admin(AdminOptions admin) noexcept { admin_ = std::move(admin); }

  pid_t fork() noexcept override {
    return number_of(PyObject_CallMethod(object_.get(), "fork", nullptr));
  }
  std::expected<int, std::string> reload() noexcept override {
    py::Object result(PyObject_CallMethod(object_.get(), "reload", nullptr));
    const char* why = result && PyUnicode_Check(result.get())
                          ? PyUnicode_AsUTF8(result.get())
                          : nullptr;
    if (why) return std::unexpected(std::string(why));
    const int workers = number_of(result.release());
    if (workers < 0) return std::unexpected("it raised: the log says what");
    return workers;
  }
  void take_back() noexcept override {
    drop(PyObject_CallMethod(object_.get(), "take_back", nullptr));
  }
  void reopen_logs() noexcept override {
    drop(PyObject_CallMethod(object_.get(), "reopen_logs", nullptr));
  }
  void set_log_level(Level least) noexcept override {
    drop(PyObject_CallMethod(object_.get(), "set_log_level", "i",
                             to_python_level(least)));
  }
  void settled() noexcept override {
    drop(PyObject_CallMethod(object_.get(), "settled", nullptr));
  }
  void alive() noexcept override {
    drop(PyObject_CallMethod(object_.get(), "alive", nullptr));
  }
  void stopping() noexcept override {
    drop(PyObject_CallMethod(object_.get(), "stopping", nullptr));
  }
  void worker_gone(pid_t pid) noexcept override {
    drop(PyObject_CallMethod(object_.get(), "worker_gone", "i", static_cast<int>(pid)));
  }
  void resized(int workers, int before) noexcept override {
    drop(PyObject_CallMethod(object_.get(), "resized", "ii", workers, before));
  }
  std::string describe_settings() noexcept override {
    const py::Object text(
        PyObject_CallMethod(object_.get(), "describe_settings", nullptr));
    Py_ssize_t size = 0;
    const char* data = text ? PyUnicode_AsUTF8AndSize(text.get(), &size) : nullptr;
    if (data) return {data, static_cast<std::size_t>(size)};
    PyErr_WriteUnraisable(object_.get());
    return R"({"ok":false,"error":"the settings cannot be shown"})";
  }
  [[noreturn]] void serve_admin(net::OwnedFd master) noexcept override {
    module::serve_admin(commons_, std::move(admin_sockets_), std::move(master), admin_);
  }

 private:
  // Takes a result over; -1 where there is none.
  int number_of(PyObject* value) const noexcept {
    const py::Object result(value);
    const long number = result ? PyLong_AsLong(result.get()) : -1;
    if (PyErr_Occurred()) PyErr_WriteUnraisable(object_.get());
    return static_cast<int>(number);
  }
  void drop(PyObject* value) const noexcept {
    if (!py::Object(value)) PyErr_WriteUnraisable(object_.get());
  }
  py::Object object_;
  master::Commons& commons_;
  AdminOptions admin_;
  AdminSockets admin_sockets_;
};

// The master has no greenlets: its lines go to Python's logging at once.
class DirectLog final : public LogSink {
 public:
  explicit DirectLog(PyObject* object) noexcept : object_(py::Object::copy(object)) {}
  void log(Level level, std::string_view line) noexcept override {
    if (!py::Object(PyObject_CallMethod(object_.get(), "log", "is#",
                                        to_python_level(level), line.data(),
                                        static_cast<Py_ssize_t>(line.size())))) {
      PyErr_WriteUnraisable(object_.get());
    }
  }

 private:
  py::Object object_;
};

struct Supervisor {
  Supervisor(PyObject* object, master::Commons shared, const MasterOptions& options)
      : commons(std::move(shared)),
        hooks(object, commons, options.admin),
        sink(object),
        master(hooks, sink, commons, options.workers, options.limits, options.watch,
               master::LogHeir(options.access_log, options.stdout_fd)),
        listen(options.listen) {
    master.loop().set_block_hook(&gil);
  }
  master::Commons commons;
  PythonHooks hooks;
  DirectLog sink;
  py::GilBlockHook gil;
  master::Master master;
  net::ListenOptions listen;
  std::optional<Seat> seat;  // in a worker
};

struct MasterObject {
  PyObject_HEAD Supervisor* supervisor;
};

Supervisor& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<MasterObject*>(self)->supervisor;
}

// Master(hooks, options)
PyObject* master_new(PyTypeObject* type, PyObject* args, PyObject*) noexcept {
  PyObject *hooks = nullptr, *dict = nullptr;
  if (!PyArg_ParseTuple(args, "OO!:Master", &hooks, &PyDict_Type, &dict))
    return nullptr;
  MasterOptions options;
  if (!read_master_options(dict, options)) return nullptr;
  auto commons =
      master::Commons::make(options.limits.slots, options.log_ring, options.room);
  if (!commons) {
    PyErr_Format(PyExc_OSError, "memory for all workers: %s",
                 describe(commons.error()).data());
    return nullptr;
  }
  auto* self = reinterpret_cast<MasterObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->supervisor = new Supervisor(hooks, std::move(*commons), options);
  series_home().move_to_master(self->supervisor->commons.slab());
  return reinterpret_cast<PyObject*>(self);
}

void master_dealloc(PyObject* self) noexcept {
  delete reinterpret_cast<MasterObject*>(self)->supervisor;
  py::free_object(self);
}

// Opens `address` and hands the socket to `use`; returns (description, port).
template <class Use>
PyObject* open_for(PyObject* self, PyObject* address, const net::ListenOptions& options,
                   Use use) noexcept {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(address, &size);
  if (!text) return nullptr;
  auto socket = open_listener({text, static_cast<std::size_t>(size)}, options);
  if (!socket) return nullptr;
  PyObject* result = described(*socket, socket->address().port());
  if (result) use(self_of(self), std::move(*socket));
  return result;
}

// Of (address, v6_only).
template <class Use>
PyObject* open_of(PyObject* self, PyObject* args, const char* format,
                  Use use) noexcept {
  PyObject* address = nullptr;
  int v6_only = 0;
  if (!PyArg_ParseTuple(args, format, &address, &v6_only)) return nullptr;
  net::ListenOptions options = self_of(self).listen;
  options.v6_only = v6_only != 0;
  return open_for(self, address, options, use);
}

PyObject* master_bind(PyObject* self, PyObject* args) noexcept {
  return open_of(self, args, "U|p:bind",
                 [](Supervisor& supervisor, net::ListenSocket socket) {
                   supervisor.master.add_listener(std::move(socket));
                 });
}

PyObject* master_bind_admin(PyObject* self, PyObject* args) noexcept {
  return open_of(self, args, "U|p:bind_admin",
                 [](Supervisor& supervisor, net::ListenSocket socket) {
                   supervisor.hooks.admin_sockets().pages.push_back(std::move(socket));
                   supervisor.master.want_admin();
                 });
}

PyObject* master_bind_control(PyObject* self, PyObject* args) noexcept {
  PyObject* address = nullptr;
  unsigned mode = 0;
  if (!PyArg_ParseTuple(args, "UI:bind_control", &address, &mode)) return nullptr;
  const net::ListenOptions options{.backlog = 16, .unix_mode = mode};
  return open_for(
      self, address, options, [](Supervisor& supervisor, net::ListenSocket socket) {
        supervisor.hooks.admin_sockets().control.push_back(std::move(socket));
        supervisor.master.want_admin();
      });
}

PyObject* master_unbind(PyObject* self, PyObject* described) noexcept {
  const auto text = description(described);
  if (!text) return nullptr;
  return py::boolean(self_of(self).master.retire_listener(*text));
}

PyObject* master_rebind(PyObject* self, PyObject* described) noexcept {
  const auto text = description(described);
  if (!text) return nullptr;
  return py::boolean(self_of(self).master.retake_listener(*text));
}

PyObject* master_unbind_admin(PyObject* self, PyObject* described) noexcept {
  const auto text = description(described);
  if (!text) return nullptr;
  auto& pages = self_of(self).hooks.admin_sockets().pages;
  return py::boolean(std::erase_if(pages, [&text](const net::ListenSocket& socket) {
                       return socket.describe() == *text;
                     }) > 0);
}

PyObject* master_listeners(PyObject* self, PyObject*) noexcept {
  py::Object list(PyList_New(0));
  for (const net::ListenSocket& socket : self_of(self).master.listeners()) {
    const py::Object item(described(socket, socket.fd()));
    if (!list || !item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* master_configure(PyObject* self, PyObject* dict) noexcept {
  if (!PyDict_Check(dict)) {
    PyErr_SetString(PyExc_TypeError, "configure takes a dict");
    return nullptr;
  }
  MasterOptions options;
  if (!read_master_options(dict, options)) return nullptr;
  Supervisor& supervisor = self_of(self);
  supervisor.master.configure(options.limits, options.watch);
  supervisor.master.set_heir(master::LogHeir(options.access_log, options.stdout_fd));
  supervisor.hooks.set_admin(options.admin);
  supervisor.listen = options.listen;
  return py::none();
}

PyObject* master_renew_admin(PyObject* self, PyObject*) noexcept {
  self_of(self).master.renew_admin();
  return py::none();
}

PyObject* master_note_certificates(PyObject* self, PyObject* end) noexcept {
  const double at = PyFloat_AsDouble(end);
  if (at == -1.0 && PyErr_Occurred()) return nullptr;
  self_of(self).commons.slab().summary().certificate_ends_wall.store(at);
  return py::none();
}

// In a worker: its place among the slots.
PyObject* master_slot(PyObject* self, PyObject*) noexcept {
  const auto& seat = self_of(self).seat;
  return seat ? PyLong_FromSize_t(seat->slot) : py::none();
}

// In a worker that ends: why, for its master.
PyObject* master_last_words(PyObject* self, PyObject* words) noexcept {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(words, &size);
  if (!text) return nullptr;
  auto& seat = self_of(self).seat;
  if (seat) seat->cells().last_words.set({{text, static_cast<std::size_t>(size)}});
  return py::none();
}

// In the master, which is called no more.
PyObject* master_close(PyObject* self, PyObject*) noexcept {
  series_home().leave_master();
  delete std::exchange(reinterpret_cast<MasterObject*>(self)->supervisor, nullptr);
  return py::none();
}

// In a worker that imports still: once its master is gone it gets a SIGTERM. A change
// of user forgets that.
PyObject* master_end_with_it(PyObject*, PyObject* master) noexcept {
  const long pid = PyLong_AsLong(master);
  if (pid == -1 && PyErr_Occurred()) return nullptr;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != static_cast<pid_t>(pid)) ::raise(SIGTERM);  // it was faster
  return py::none();
}

// A seat is lent by its master, which the capsule keeps alive.
constexpr const char* kSeatName = "celadon.seat";

void return_seat(PyObject* capsule) noexcept {
  py::Object(static_cast<PyObject*>(PyCapsule_GetContext(capsule))).reset();
}

PyObject* lend_seat(PyObject* self, master::Outcome& outcome) noexcept {
  Supervisor& supervisor = self_of(self);
  supervisor.seat.emplace(supervisor.commons, static_cast<std::size_t>(outcome.slot),
                          std::move(outcome.control),
                          std::move(supervisor.master.listeners()));
  supervisor.commons.settle_in(supervisor.seat->slot);
  series_home().move_to_worker(supervisor.commons.slab(), supervisor.seat->slot);
  supervisor.hooks.admin_sockets().abandon();
  stdio_relay().settle_in_child();
  // The files of unix sockets are the master's.
  for (net::ListenSocket& socket : supervisor.seat->listeners) socket.disown_file();
  PyObject* capsule = PyCapsule_New(&*supervisor.seat, kSeatName, return_seat);
  if (capsule) PyCapsule_SetContext(capsule, py::Object::copy(self).release());
  return capsule;
}

PyObject* master_run(PyObject* self, PyObject*) noexcept {
  master::Outcome outcome = self_of(self).master.run();
  if (outcome.is_worker) return lend_seat(self, outcome);
  self_of(self).hooks.admin_sockets() = {};
  return PyLong_FromLong(outcome.status);
}

PyMethodDef master_methods[] = {
    {"bind", master_bind, METH_VARARGS,
     "bind(address, v6_only=False) -> (description, port)"},
    {"bind_admin", master_bind_admin, METH_VARARGS,
     "bind_admin(address, v6_only=False) -> (description, port)"},
    {"bind_control", master_bind_control, METH_VARARGS,
     "bind_control(address, mode) -> (description, port)"},
    {"unbind", master_unbind, METH_O,
     "unbind(description) -> bool\n\nIt closes once no worker accepts there."},
    {"rebind", master_rebind, METH_O,
     "rebind(description) -> bool\n\nWhat was unbound; False: it is closed by now."},
    {"unbind_admin", master_unbind_admin, METH_O, "unbind_admin(description) -> bool"},
    {"listeners", master_listeners, METH_NOARGS,
     "listeners() -> list of (description, descriptor)"},
    {"configure", master_configure, METH_O,
     "configure(options)\n\nFor what is to come: within reload()."},
    {"renew_admin", master_renew_admin, METH_NOARGS,
     "renew_admin()\n\nThe next admin process has the settings of now."},
    {"note_certificates", master_note_certificates, METH_O,
     "note_certificates(end)\n\nWhen the first expires, in seconds since 1970; 0: "
     "there is "
     "none."},
    {"end_with_it", master_end_with_it, METH_O,
     "end_with_it(pid)\n\nIn a worker: SIGTERM once its master, which has that pid, is "
     "gone."},
    {"last_words", master_last_words, METH_O,
     "last_words(why)\n\nIn a worker that ends: what its master says of that."},
    {"slot", master_slot, METH_NOARGS,
     "slot() -> the place of this worker; None in the master"},
    {"run", master_run, METH_NOARGS,
     "run() -> the master's exit status, or in a new worker its seat"},
    {"close", master_close, METH_NOARGS,
     "close()\n\nNothing is called any more: all that is open closes."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot master_slots[] = {{Py_tp_new, py::as_slot(master_new)},
                              {Py_tp_dealloc, py::as_slot(master_dealloc)},
                              {Py_tp_methods, master_methods},
                              {0, nullptr}};
PyType_Spec master_spec{"celadon._core.Master", sizeof(MasterObject), 0,
                        Py_TPFLAGS_DEFAULT, master_slots};

}  // namespace

bool get_seat(PyObject* object, Seat*& seat) noexcept {
  seat = nullptr;
  if (object == Py_None) return true;
  seat = static_cast<Seat*>(PyCapsule_GetPointer(object, kSeatName));
  return seat != nullptr;
}

int add_master_type(PyObject* module) noexcept {
  return py::add_type(module, master_spec) ? 0 : -1;
}

}  // namespace celadon::module
