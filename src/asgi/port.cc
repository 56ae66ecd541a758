#include "asgi/port.h"

#include <array>
#include <utility>

#include "asgi/bridge.h"
#include "asgi/names.h"
#include "asgi/request.h"
#include "gateway/exceptions.h"
#include "py/error.h"
#include "py/type.h"

namespace celadon::asgi {
namespace {

PyTypeObject* port_type = nullptr;
PyTypeObject* wait_type = nullptr;

//   New ─► Begun ─► Over         begun: it is awaited
//            └► Taken ─┘         taken: its message, of which some is to be sent still
enum class Stage : std::uint8_t { New, Begun, Taken, Over };

// One call of a port. The collector does not know it: it refers to what it waits for
// until that is over, which the end of its request sees to, and to its message as long.
struct WaitObject {
  PyObject_HEAD PortObject* port;  // owned
  PyObject* message;               // owned; what is sent
  PyObject* future;                // owned, with its iterator, while it waits
  PyObject* iterator;
  Stage stage;
  bool in_line;   // of those that wait until theirs is taken
  bool had_turn;  // others had theirs, since it began
};

WaitObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<WaitObject*>(self);
}

void stop_waiting(WaitObject& wait) noexcept {
  const py::Object future(std::exchange(wait.future, nullptr));
  const py::Object iterator(std::exchange(wait.iterator, nullptr));
  if (future && wait.port->request) wait.port->request->forget(future.get());
}

void leave_line(WaitObject& wait) noexcept {
  Request* request = wait.port->request;
  if (!std::exchange(wait.in_line, false) || !request) return;
  py::Object error = py::take_error();  // that it ends with
  request->leave_line(&wait);
  py::restore_error(std::move(error));
}

// Who keeps a call that is over, as a task does, keeps no message by it.
void drop_message(WaitObject& wait) noexcept {
  py::Object error = py::take_error();
  py::drop(std::exchange(wait.message, nullptr));
  py::restore_error(std::move(error));
}

PySendResult finish(WaitObject& wait, PySendResult how) noexcept {
  wait.stage = Stage::Over;
  stop_waiting(wait);
  leave_line(wait);
  drop_message(wait);
  return how;
}

// The request has ended.
Outcome answer_late(const WaitObject& wait, py::Object& result) noexcept {
  if (!wait.port->sends) {
    const std::uint16_t code = wait.port->closed_with;
    result = code != 0 ? closed_message(code, {}) : disconnect_message();
    return result ? Outcome::Done : Outcome::Failed;
  }
  if (wait.port->left) {
    gateway::raise_gone();
    return Outcome::Failed;
  }
  if (wait.stage == Stage::Taken) return Outcome::Done;
  PyErr_SetString(PyExc_RuntimeError, "send() called after its request had ended");
  return Outcome::Failed;
}

// Of a WebSocket: whose client sends much would never have to wait.
Outcome receive(WaitObject& wait, Request& request, py::Object& result) noexcept {
  if (!wait.had_turn && request.socket() && request.has_had_its_share())
    return Outcome::Turn;
  return request.receive(result, *wait.port);
}

Outcome attempt_send(WaitObject& wait, Request& request) noexcept {
  if (wait.stage == Stage::Taken) return request.answer().go_on(*wait.port);
  Socket* socket = request.socket();
  const bool is_socket = socket && (socket->accepted() || request.open_exchange());
  const Sender sender{*wait.port, request.is_next(&wait), wait.had_turn};
  const Outcome outcome = is_socket ? socket->take(wait.message, sender)
                                    : request.answer().take(wait.message, sender);
  if (outcome != Outcome::Begun) return outcome;
  wait.stage = Stage::Taken;
  leave_line(wait);
  return request.answer().go_on(*wait.port);
}

Outcome attempt(WaitObject& wait, py::Object& result) noexcept {
  Request* request = wait.port->request;
  if (!request) return answer_late(wait, result);
  // The client is its parent's.
  if (request->hub().forked_child()) green::Hub::end_child();
  if (request->hub().thread_id() != PyThread_get_thread_ident()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "receive() and send() belong to the thread of their request's "
                    "event loop");
    return Outcome::Failed;
  }
  return wait.port->sends ? attempt_send(wait, *request)
                          : receive(wait, *request, result);
}

// News for it make the future done.
py::Object start_waiting(WaitObject& wait, Outcome why) noexcept {
  Request& request = *wait.port->request;
  if (why == Outcome::Turn) wait.had_turn = true;
  const bool is_taken = !wait.port->sends || wait.stage == Stage::Taken;
  if (!is_taken && !std::exchange(wait.in_line, true)) request.stand_in_line(&wait);
  const auto side = why == Outcome::Turn ? Request::Side::Turn
                    : wait.port->sends   ? Request::Side::Out
                                         : Request::Side::In;
  return request.wait_for(side, is_taken ? nullptr : &wait);
}

// Until it is over, or has to wait.
PySendResult proceed(WaitObject& wait, PyObject** result) noexcept {
  if (wait.stage == Stage::New) wait.stage = Stage::Begun;
  for (;;) {
    py::Object given;
    const Outcome outcome = attempt(wait, given);
    if (outcome == Outcome::Failed) return finish(wait, PYGEN_ERROR);
    if (outcome == Outcome::Done) {
      *result = given ? given.release() : py::none();
      return finish(wait, PYGEN_RETURN);
    }
    wait.future = start_waiting(wait, outcome).release();
    wait.iterator = wait.future ? PyObject_GetIter(wait.future) : nullptr;
    if (!wait.iterator) return finish(wait, PYGEN_ERROR);
    const PySendResult sent = PyIter_Send(wait.iterator, Py_None, result);
    if (sent == PYGEN_NEXT) return sent;
    if (sent == PYGEN_ERROR) return finish(wait, sent);
    const py::Object nothing(std::exchange(*result, nullptr));
    stop_waiting(wait);
  }
}

PySendResult wait_am_send(PyObject* object, PyObject* value,
                          PyObject** result) noexcept {
  WaitObject& wait = self_of(object);
  *result = nullptr;
  if (wait.stage == Stage::Over) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    return PYGEN_ERROR;
  }
  const py::Object self = py::Object::copy(object);
  if (!wait.iterator) return proceed(wait, result);
  const PySendResult sent = PyIter_Send(wait.iterator, value, result);
  if (sent == PYGEN_NEXT) return sent;
  if (sent == PYGEN_ERROR) return finish(wait, sent);
  const py::Object nothing(std::exchange(*result, nullptr));
  stop_waiting(wait);
  return proceed(wait, result);
}

// As generators say that they have returned.
PyObject* to_generator(PySendResult sent, PyObject* result) noexcept {
  if (sent != PYGEN_RETURN) return result;
  const py::Object value(result);
  const py::Object stop(PyObject_CallOneArg(PyExc_StopIteration, value.get()));
  if (stop) PyErr_SetObject(PyExc_StopIteration, stop.get());
  return nullptr;
}

PyObject* wait_send(PyObject* self, PyObject* value) noexcept {
  PyObject* result = nullptr;
  const PySendResult sent = wait_am_send(self, value, &result);
  return to_generator(sent, result);
}

PyObject* wait_next(PyObject* self) noexcept {
  return wait_send(self, Py_None);
}

PyObject* wait_throw(PyObject* object, PyObject* const* thrown,
                     Py_ssize_t count) noexcept {
  WaitObject& wait = self_of(object);
  const py::Object self = py::Object::copy(object);
  if (!wait.iterator) {
    raise_thrown(thrown, count);
    finish(wait, PYGEN_ERROR);
    return nullptr;
  }
  PyObject* yielded = throw_into(wait.iterator, thrown, count);
  if (!yielded) finish(wait, PYGEN_ERROR);
  return yielded;
}

PyObject* wait_close(PyObject* self, PyObject*) noexcept {
  finish(self_of(self), PYGEN_RETURN);
  return py::none();
}

PyObject* wait_itself(PyObject* self) noexcept {
  return py::new_ref(self);
}

// --- objects for the next calls ---

constexpr std::size_t kKept = 64;
std::array<PyObject*, kKept> kept;
std::size_t kept_count = 0;

// As of a coroutine, whose words these are.
void warn_of_forgotten(const PortObject& port) noexcept {
  py::Object error = py::take_error();
  if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%s' was never awaited",
                       port.sends ? "send" : "receive") < 0)
    PyErr_WriteUnraisable(nullptr);
  py::restore_error(std::move(error));
}

void wait_dealloc(PyObject* object) noexcept {
  WaitObject& wait = self_of(object);
  if (wait.stage == Stage::New) warn_of_forgotten(*wait.port);
  stop_waiting(wait);
  leave_line(wait);
  py::drop(std::exchange(wait.message, nullptr));
  py::drop(reinterpret_cast<PyObject*>(std::exchange(wait.port, nullptr)));
  if (kept_count == kKept) return py::free_object(object);
  kept[kept_count++] = object;
  py::drop(reinterpret_cast<PyObject*>(wait_type));
}

PyObject* make_wait(PortObject& port, PyObject* message) noexcept {
  PyObject* object = nullptr;
  if (kept_count > 0) {
    object = PyObject_Init(kept[--kept_count], wait_type);
  } else {
    object = wait_type->tp_alloc(wait_type, 0);
  }
  if (!object) return nullptr;
  WaitObject& wait = self_of(object);
  wait.port = py::Owned<PortObject>::copy(&port).release();
  wait.message = message ? py::new_ref(message) : nullptr;
  wait.future = wait.iterator = nullptr;
  wait.stage = Stage::New;
  wait.in_line = wait.had_turn = false;
  return object;
}

// --- ports ---

PyObject* call_receive(PyObject* callable, PyObject* const*, std::size_t nargsf,
                       PyObject* names) noexcept {
  if (PyVectorcall_NARGS(nargsf) != 0 || (names && PyTuple_GET_SIZE(names) > 0)) {
    PyErr_SetString(PyExc_TypeError, "receive() takes no arguments");
    return nullptr;
  }
  return make_wait(*reinterpret_cast<PortObject*>(callable), nullptr);
}

PyObject* call_send(PyObject* callable, PyObject* const* args, std::size_t nargsf,
                    PyObject* names) noexcept {
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  const bool is_one = PyVectorcall_NARGS(nargsf) + named == 1 &&
                      (named == 0 || PyUnicode_CompareWithASCIIString(
                                         PyTuple_GET_ITEM(names, 0), "message") == 0);
  if (!is_one) {
    PyErr_SetString(PyExc_TypeError, "send(message) takes one argument");
    return nullptr;
  }
  return make_wait(*reinterpret_cast<PortObject*>(callable), args[0]);
}

PyObject* wait_what(PyObject* object, void*) noexcept {
  return PyUnicode_FromString(self_of(object).port->sends ? "send()" : "receive()");
}

PyGetSetDef wait_fields[] = {
    {"_celadon_call", wait_what, nullptr, "For reports.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef wait_methods[] = {
    {"send", wait_send, METH_O, "As of a coroutine."},
    {"throw", py::as_method(wait_throw), METH_FASTCALL, "As of a coroutine."},
    {"close", wait_close, METH_NOARGS, "As of a coroutine."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot wait_slots[] = {{Py_tp_dealloc, py::as_slot(wait_dealloc)},
                            {Py_tp_methods, wait_methods},
                            {Py_tp_getset, wait_fields},
                            {Py_tp_iter, py::as_slot(wait_itself)},
                            {Py_tp_iternext, py::as_slot(wait_next)},
                            {Py_am_await, py::as_slot(wait_itself)},
                            {Py_am_send, py::as_slot(wait_am_send)},
                            {0, nullptr}};
PyType_Spec wait_spec{"celadon._core.MessageWait", sizeof(WaitObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      wait_slots};

PyMemberDef port_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(PortObject, call), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot port_slots[] = {{Py_tp_dealloc, py::as_slot(py::free_object)},
                            {Py_tp_call, py::as_slot(PyVectorcall_Call)},
                            {Py_tp_members, port_members},
                            {0, nullptr}};
PyType_Spec port_spec{
    "celadon._core.MessagePort", sizeof(PortObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    port_slots};

bool attach_port(py::Owned<PortObject>& port, Request& request, bool sends) noexcept {
  if (!port) {
    auto* made = reinterpret_cast<PortObject*>(port_type->tp_alloc(port_type, 0));
    if (!made) return false;
    made->call = sends ? call_send : call_receive;
    made->sends = sends;
    port = py::Owned<PortObject>(made);
  }
  port->request = &request;
  port->left = false;
  port->closed_with = 0;
  return true;
}

void detach_port(py::Owned<PortObject>& port, bool left,
                 std::uint16_t closed_with) noexcept {
  if (!port) return;
  port->request = nullptr;
  port->left = left;
  port->closed_with = closed_with;
  if (Py_REFCNT(reinterpret_cast<PyObject*>(port.get())) > 1) port.reset();
}

}  // namespace

void raise_thrown(PyObject* const* thrown, Py_ssize_t count) noexcept {
  if (count == 0) {
    PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
  } else if (PyExceptionInstance_Check(thrown[0])) {
    PyErr_SetObject(PyExceptionInstance_Class(thrown[0]), thrown[0]);
  } else {
    PyErr_SetObject(thrown[0], count > 1 ? thrown[1] : nullptr);
  }
}

PyObject* throw_into(PyObject* target, PyObject* const* thrown,
                     Py_ssize_t count) noexcept {
  const py::Object method(PyObject_GetAttrString(target, "throw"));
  return method ? PyObject_Vectorcall(method.get(), thrown,
                                      static_cast<std::size_t>(count), nullptr)
                : nullptr;
}

bool Ports::attach(Request& request) noexcept {
  return attach_port(receive, request, false) && attach_port(send, request, true);
}

void Ports::detach(bool left, std::uint16_t closed_with) noexcept {
  detach_port(receive, left, closed_with);
  detach_port(send, left, closed_with);
}

int add_port_types(PyObject* module) noexcept {
  port_type = py::add_type(module, port_spec);
  wait_type = port_type ? py::add_type(module, wait_spec) : nullptr;
  return wait_type && make_names() ? 0 : -1;
}

}  // namespace celadon::asgi
