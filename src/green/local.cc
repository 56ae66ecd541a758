// Each local has a key; a runner's record, or a native thread's dict, maps keys to
// dicts. Before an attribute is looked up, the local's own dict pointer is turned to
// the dict of what runs now; the generic lookup does the rest. A runner's values
// survive from request to request, as a thread's do, and die with the runner.
// To the collector the dicts are the local's alone: those maps hold them by capsules,
// which it does not look into, so that a local is found dead whose own values know it.
#include "green/local.h"

#include <memory>
#include <utility>
#include <vector>

#include "green/hub.h"
#include "py/error.h"
#include "py/type.h"

namespace celadon::green {
namespace {

// What a local keeps for one strand or thread; owned by a capsule in the map of that.
struct Share : ListHook<Share> {
  py::Object dict;
};

struct LocalObject {
  PyObject_HEAD PyObject* weakrefs;
  IntrusiveList<Share>* shares;
  PyObject* dict;  // of the strand `owner`, whose values keep it: borrowed
  PyObject* key;
  PyObject* args;
  PyObject* kwargs;
  std::uint64_t owner;  // number of the strand whose dict that is; 0: ask again
};

LocalObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<LocalObject*>(self);
}

// What a native thread keeps; in a list, so that a dying local can be forgotten there.
struct ThreadValues : ListHook<ThreadValues> {
  py::Object values;
};
IntrusiveList<ThreadValues>& native_threads() noexcept {
  static IntrusiveList<ThreadValues> list;
  return list;
}
constexpr const char* kThreadKey = "celadon.locals";
constexpr const char* kLocalKey = "celadon.local";
constexpr const char* kDeadKey = "celadon.local, gone";

constexpr const char* kShareKey = "celadon.local, of one";

Share* share_in(PyObject* capsule) noexcept {
  return static_cast<Share*>(PyCapsule_GetPointer(capsule, kShareKey));
}

// What dies with it may look at the local: it is out of its list first.
void free_share(PyObject* capsule) noexcept {
  Share* share = share_in(capsule);
  const py::Object dict = std::move(share->dict);
  delete share;
}

// Puts `dict` into `values` for `local`. False with an exception.
bool put_share(LocalObject& local, PyObject* values, PyObject* dict) noexcept {
  auto made = std::make_unique<Share>();
  made->dict = py::Object::copy(dict);
  const py::Object capsule(PyCapsule_New(made.get(), kShareKey, free_share));
  if (!capsule) return false;
  local.shares->push_back(*made.release());  // the capsule's
  return PyDict_SetItem(values, local.key, capsule.get()) == 0;
}

// What dies with them may be a local, which looks for what it keeps in every list, or
// use one: they are out of sight first.
void free_thread_values(PyObject* capsule) noexcept {
  auto* entry = static_cast<ThreadValues*>(PyCapsule_GetPointer(capsule, kThreadKey));
  const py::Object values = std::move(entry->values);
  delete entry;
  if (values) detach_locals(values.get());
}

// Borrowed; null with an exception.
PyObject* values_of_thread() noexcept {
  PyObject* state = PyThreadState_GetDict();
  if (!state) {
    PyErr_SetString(PyExc_SystemError, "Couldn't get thread-state dictionary");
    return nullptr;
  }
  if (PyObject* found = PyDict_GetItemString(state, kThreadKey)) {
    return static_cast<ThreadValues*>(PyCapsule_GetPointer(found, kThreadKey))
        ->values.get();
  }
  auto made = std::make_unique<ThreadValues>();
  made->values.reset(PyDict_New());
  ThreadValues* entry = made.get();
  const py::Object capsule(PyCapsule_New(entry, kThreadKey, free_thread_values));
  if (!made->values || !capsule) return nullptr;
  [[maybe_unused]] const ThreadValues* owned = made.release();  // by the capsule
  native_threads().push_back(*entry);
  if (PyDict_SetItemString(state, kThreadKey, capsule.get()) < 0) return nullptr;
  return entry->values.get();
}

void set_dict(LocalObject& local, PyObject* dict, std::uint64_t owner) noexcept {
  local.owner = owner;
  local.dict = dict;
}

// Turns `local` to the dict of what runs now. False with an exception.
bool attach(PyObject* self) noexcept {
  LocalObject& local = self_of(self);
  Strand* strand = current_strand();
  const bool green = strand && !strand->is_main();
  if (green && local.owner == strand->number() && local.dict) return true;
  PyObject* values = green ? strand->make_locals() : values_of_thread();
  if (!values) return false;
  const std::uint64_t owner = green ? strand->number() : 0;
  if (PyObject* found = PyDict_GetItemWithError(values, local.key)) {
    set_dict(local, share_in(found)->dict.get(), owner);
    return true;
  }
  const py::Object fresh(PyErr_Occurred() ? nullptr : PyDict_New());
  if (!fresh || !put_share(local, values, fresh.get())) return false;
  set_dict(local, fresh.get(), owner);
  PyTypeObject* type = Py_TYPE(self);
  if (type->tp_init == PyBaseObject_Type.tp_init || !local.args) return true;
  // A subclass is initialised anew in each strand that uses it.
  if (type->tp_init(self, local.args, local.kwargs) == 0) {
    // It may have waited, and others used this local meanwhile.
    set_dict(local, fresh.get(), owner);
    return true;
  }
  py::Object error = py::take_error();
  if (PyDict_DelItem(values, local.key) < 0) PyErr_Clear();
  set_dict(local, nullptr, 0);
  py::restore_error(std::move(error));
  return false;
}

PyObject* local_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) noexcept {
  const bool has_args =
      PyTuple_GET_SIZE(args) > 0 || (kwargs && PyDict_GET_SIZE(kwargs) > 0);
  if (has_args && type->tp_init == PyBaseObject_Type.tp_init) {
    PyErr_SetString(PyExc_TypeError, "Initialization arguments are not supported");
    return nullptr;
  }
  auto* self = reinterpret_cast<LocalObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  py::Object guard(reinterpret_cast<PyObject*>(self));
  self->shares = new IntrusiveList<Share>();
  self->args = py::new_ref(args);
  self->kwargs = kwargs ? py::new_ref(kwargs) : nullptr;
  self->key = PyCapsule_New(self, kLocalKey, nullptr);
  if (!self->key) return nullptr;
  Strand* strand = current_strand();
  const bool green = strand && !strand->is_main();
  PyObject* values = green ? strand->make_locals() : values_of_thread();
  const py::Object fresh(values ? PyDict_New() : nullptr);
  if (!fresh || !put_share(*self, values, fresh.get())) return nullptr;
  set_dict(*self, fresh.get(), green ? strand->number() : 0);
  return guard.release();
}

PyObject* local_getattro(PyObject* self, PyObject* name) noexcept {
  if (!attach(self)) return nullptr;
  if (PyUnicode_Check(name) &&
      PyUnicode_CompareWithASCIIString(name, "__dict__") == 0) {
    return py::new_ref(self_of(self).dict);
  }
  return PyObject_GenericGetAttr(self, name);
}

int local_setattro(PyObject* self, PyObject* name, PyObject* value) noexcept {
  if (!attach(self)) return -1;
  if (PyUnicode_Check(name) &&
      PyUnicode_CompareWithASCIIString(name, "__dict__") == 0) {
    PyErr_Format(PyExc_AttributeError,
                 "'%.100s' object attribute '__dict__' is read-only",
                 Py_TYPE(self)->tp_name);
    return -1;
  }
  return PyObject_GenericSetAttr(self, name, value);
}

int local_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  const LocalObject& local = self_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(local.args);
  Py_VISIT(local.kwargs);
  if (!local.shares) return 0;
  for (Share* each = local.shares->front(); each; each = local.shares->next(*each)) {
    Py_VISIT(each->dict.get());
  }
  return 0;
}

using Values = std::vector<py::Object>;

// Takes out what a local keeps there.
void take(PyObject* values, PyObject* key, Values& taken) noexcept {
  PyObject* found = values ? PyDict_GetItemWithError(values, key) : nullptr;
  if (found) {
    taken.push_back(py::Object::copy(share_in(found)->dict.get()));
    if (PyDict_DelItem(values, key) == 0) return;
  }
  PyErr_Clear();
}

// Of whoever has used it, on every thread.
Values take_all(PyObject* key) noexcept {
  Values taken;
  for (Hub* hub : Hub::all()) {
    for (const auto& strand : hub->strands()) take(strand->locals(), key, taken);
  }
  auto& threads = native_threads();
  for (ThreadValues* t = threads.front(); t; t = threads.next(*t)) {
    take(t->values.get(), key, taken);
  }
  return taken;
}

// Finalizers may wait, and others run meanwhile: where no greenlet may, one does that
// can.
void drop(Values taken) noexcept {
  Hub* hub = Hub::here();
  if (!hub || can_park()) return;
  for (py::Object& each : taken) hub->bury(each.release());
}

// What it keeps for all, out of their maps.
Values clear_all(LocalObject& local) noexcept {
  Values taken;
  if (local.key) taken = take_all(local.key);
  set_dict(local, nullptr, 0);
  Py_CLEAR(local.args);
  Py_CLEAR(local.kwargs);
  return taken;
}

int local_clear(PyObject* self) noexcept {
  drop(clear_all(self_of(self)));
  return 0;
}

void local_dealloc(PyObject* self) noexcept {
  PyObject_GC_UnTrack(self);
  LocalObject& local = self_of(self);
  if (local.weakrefs) PyObject_ClearWeakRefs(self);
  py::Object error = py::take_error();
  Values values = clear_all(local);
  // A dict that was taken out of use just now may still have the key.
  if (local.key) static_cast<void>(PyCapsule_SetName(local.key, kDeadKey));
  Py_CLEAR(local.key);
  delete local.shares;
  py::free_object(self);
  drop(std::move(values));
  py::restore_error(std::move(error));
}

PyMemberDef local_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(LocalObject, weakrefs), READONLY,
     nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(LocalObject, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot local_slots[] = {{Py_tp_new, py::as_slot(local_new)},
                             {Py_tp_dealloc, py::as_slot(local_dealloc)},
                             {Py_tp_traverse, py::as_slot(local_traverse)},
                             {Py_tp_clear, py::as_slot(local_clear)},
                             {Py_tp_getattro, py::as_slot(local_getattro)},
                             {Py_tp_setattro, py::as_slot(local_setattro)},
                             {Py_tp_members, local_members},
                             {0, nullptr}};
PyType_Spec local_spec{"celadon._core.local", sizeof(LocalObject), 0,
                       Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                       local_slots};

}  // namespace

void detach_locals(PyObject* values) noexcept {
  Py_ssize_t at = 0;
  PyObject* key = nullptr;
  while (PyDict_Next(values, &at, &key, nullptr)) {
    if (!PyCapsule_IsValid(key, kLocalKey)) continue;
    auto* local = static_cast<LocalObject*>(PyCapsule_GetPointer(key, kLocalKey));
    set_dict(*local, nullptr, 0);
  }
}

int add_local_type(PyObject* module) noexcept {
  return py::add_type(module, local_spec) ? 0 : -1;
}

}  // namespace celadon::green
