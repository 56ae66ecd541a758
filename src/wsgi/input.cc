#include "wsgi/input.h"

#include <concepts>
#include <string>
#include <utility>

#include "gateway/spooled_body.h"
#include "green/remote_call.h"
#include "py/type.h"
#include "wsgi/bridge.h"
#include "wsgi/request.h"

namespace celadon::wsgi {
namespace {

PyTypeObject* input_type = nullptr;
constexpr Py_ssize_t kAll = -1;

InputObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<InputObject*>(self);
}

// What can be taken without waiting.
class Source {
 public:
  explicit Source(InputObject& input) noexcept : input_(input) {}

  enum class Step : std::uint8_t { Data, End, Failed };

  // Waits for data. Failed: with an exception.
  Step fill() noexcept {
    if (!input_.request) {
      PyErr_SetString(PyExc_ValueError,
                      "wsgi.input was read after its request had ended");
      return Step::Failed;
    }
    const server::Exchange& x = input_.request->exchange();
    if (x.switched()) return Step::End;  // what comes is another protocol's
    if (x.spool() >= 0) return fill_from_spool(x.spool());
    if (!x.body().empty()) return Step::Data;
    if (x.body_state() == server::BodyState::Complete) return Step::End;
    if (!input_.request->wait_body()) return Step::Failed;
    if (x.switched()) return Step::End;
    if (!x.body().empty()) return Step::Data;
    if (x.body_state() == server::BodyState::Complete) return Step::End;
    return Step::Failed;
  }

  [[nodiscard]] std::string_view data() const noexcept {
    const server::Exchange& x = input_.request->exchange();
    return input_.spooled ? input_.spooled->data() : x.body();
  }

  void consume(std::size_t n) noexcept {
    server::Exchange& x = input_.request->exchange();
    if (input_.spooled) {
      input_.spooled->consume(n);
    } else {
      x.consume_body(n);
    }
  }

  // Whether the body ended before its end.
  [[nodiscard]] bool failed() const noexcept {
    return input_.request &&
           input_.request->exchange().body_state() == server::BodyState::Failed;
  }

 private:
  Step fill_from_spool(int file) noexcept {
    if (!input_.spooled) input_.spooled = new gateway::SpooledBody();
    // The request outlives a wait of its own runner, not one of a greenlet it spawned.
    const bool own = green::current_strand() == input_.request->strand();
    if (own && !input_.request->share_time()) return Step::Failed;
    if (!input_.spooled->fill(file, own)) return Step::Failed;
    return input_.spooled->data().empty() ? Step::End : Step::Data;
  }

  InputObject& input_;
};

PyObject* to_bytes(std::string_view data) noexcept {
  return PyBytes_FromStringAndSize(data.data(), static_cast<Py_ssize_t>(data.size()));
}

// Bytes that were read before the body broke are still given out; the next call raises.
// Not where everything was asked for: that must never pass for complete.
PyObject* partial_or_raise(const std::string& collected, bool everything) noexcept {
  if (collected.empty() || everything) return nullptr;
  if (!PyErr_ExceptionMatches(PyExc_OSError)) return nullptr;
  PyErr_Clear();
  return to_bytes(collected);
}

PyObject* read_up_to(InputObject& input, Py_ssize_t wanted) noexcept {
  Source source(input);
  std::string collected;
  const bool everything = wanted < 0;
  auto left = everything ? SIZE_MAX : static_cast<std::size_t>(wanted);
  while (left > 0) {
    const auto step = source.fill();
    if (step == Source::Step::Failed) return partial_or_raise(collected, everything);
    if (step == Source::Step::End) break;
    const std::string_view data = source.data().substr(0, left);
    const bool whole = collected.empty() && data.size() == left;
    PyObject* direct = whole ? to_bytes(data) : nullptr;
    if (!whole) collected.append(data);
    left -= data.size();
    source.consume(data.size());
    if (whole) return direct;
  }
  return to_bytes(collected);
}

PyObject* read_line(InputObject& input, Py_ssize_t limit) noexcept {
  Source source(input);
  std::string collected;
  auto left = limit < 0 ? SIZE_MAX : static_cast<std::size_t>(limit);
  while (left > 0) {
    const auto step = source.fill();
    if (step == Source::Step::Failed) return partial_or_raise(collected, false);
    if (step == Source::Step::End) break;
    std::string_view data = source.data().substr(0, left);
    const auto newline = data.find('\n');
    if (newline != std::string_view::npos) data = data.substr(0, newline + 1);
    collected.append(data);
    left -= data.size();
    source.consume(data.size());
    if (newline != std::string_view::npos) break;
  }
  return to_bytes(collected);
}

// None and every negative number mean "all"; huge numbers are clipped.
bool parse_size(PyObject* const* args, Py_ssize_t count, const char* name,
                Py_ssize_t& size) noexcept {
  size = kAll;
  if (count > 1) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument", name);
    return false;
  }
  if (count == 0 || args[0] == Py_None) return true;
  const py::Object index(PyNumber_Index(args[0]));
  if (!index) return false;
  size = PyNumber_AsSsize_t(index.get(), nullptr);  // clips, raises nothing
  return true;
}

// A body belongs to the loop's thread: others have it read there, and wait.
PyObject* at_home(InputObject& input, std::invocable auto&& call) noexcept {
  if (!input.request) return call();
  return green::in_thread_of(input.request->bridge().hub(), call);
}

PyObject* input_read(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
  Py_ssize_t size = kAll;
  if (!parse_size(args, count, "read", size)) return nullptr;
  return at_home(self_of(self), [=] { return read_up_to(self_of(self), size); });
}

PyObject* input_readline(PyObject* self, PyObject* const* args,
                         Py_ssize_t count) noexcept {
  Py_ssize_t size = kAll;
  if (!parse_size(args, count, "readline", size)) return nullptr;
  return at_home(self_of(self), [=] { return read_line(self_of(self), size); });
}

PyObject* input_readlines(PyObject* self, PyObject* const* args,
                          Py_ssize_t count) noexcept {
  Py_ssize_t hint = kAll;
  if (!parse_size(args, count, "readlines", hint)) return nullptr;
  py::Object lines(PyList_New(0));
  Py_ssize_t total = 0;
  while (lines) {
    const py::Object line(input_readline(self, nullptr, 0));
    if (!line) return nullptr;
    const Py_ssize_t size = PyBytes_GET_SIZE(line.get());
    if (size == 0) break;
    if (PyList_Append(lines.get(), line.get()) < 0) return nullptr;
    total += size;
    if (hint > 0 && total >= hint) break;
  }
  return lines.release();
}

PyObject* input_next(PyObject* self) noexcept {
  py::Object line(input_readline(self, nullptr, 0));
  if (!line || PyBytes_GET_SIZE(line.get()) == 0) return nullptr;
  return line.release();
}

PyObject* input_iter(PyObject* self) noexcept {
  return py::new_ref(self);
}

void input_dealloc(PyObject* self) noexcept {
  delete self_of(self).spooled;
  py::free_object(self);
}

PyMethodDef methods[] = {{"read", py::as_method(input_read), METH_FASTCALL,
                          "read(size=-1) -> bytes\n\nUp to `size` bytes, fewer only at "
                          "the end of the body."},
                         {"readline", py::as_method(input_readline), METH_FASTCALL,
                          "readline(size=-1) -> bytes"},
                         {"readlines", py::as_method(input_readlines), METH_FASTCALL,
                          "readlines(hint=-1) -> list of bytes"},
                         {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, py::as_slot(input_dealloc)},
                       {Py_tp_iter, py::as_slot(input_iter)},
                       {Py_tp_iternext, py::as_slot(input_next)},
                       {Py_tp_methods, methods},
                       {0, nullptr}};
PyType_Spec spec{"celadon._core.Input", sizeof(InputObject), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

py::Owned<InputObject> make_input() noexcept {
  return py::Owned<InputObject>(
      reinterpret_cast<InputObject*>(input_type->tp_alloc(input_type, 0)));
}

void detach_input(InputObject& input) noexcept {
  input.request = nullptr;
  delete std::exchange(input.spooled, nullptr);
}

int add_input_type(PyObject* module) noexcept {
  input_type = py::add_type(module, spec);
  return input_type ? 0 : -1;
}

}  // namespace celadon::wsgi
