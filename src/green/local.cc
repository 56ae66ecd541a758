// Each local has a key; a runner's record, or a native thread's dict, maps keys to
// dicts. Before an attribute is looked up, the local's own dict pointer is turned to
// the dict of what runs now; the generic lookup does the rest. A runner's values
// survive from request to request, as a thread's do, and die with the runner.
//
// All steps of an asyncio loop of ours use the dicts of who runs it (identity.h). But
// one that waits in the middle has those that it has looked at for itself, as if no
// other one ran: what they hold may be a connection, or say that something is under
// way. Who looks at that local meanwhile finds it as a new thread does: it has a second
// map for that.
//
// To the collector the dicts are the local's alone: those maps hold them by capsules,
// which it does not look into, so that a local is found dead whose own values know it.
#include "green/local.h"

#include <memory>
#include <utility>
#include <vector>

#include "green/hub.h"
#include "green/identity.h"
#include "py/error.h"
#include "py/type.h"

namespace celadon::green {
namespace {

// What a local keeps for one strand or thread; owned by a capsule in the map of that.
struct Share : ListHook<Share> {
  py::Object dict;
  std::uint64_t step = 0;  // of a loop's, that looked at it last
};

struct LocalObject {
  PyObject_HEAD PyObject* weakrefs;
  IntrusiveList<Share>* shares;
  PyObject* dict;  // of the strand `owner`, whose values keep it: borrowed
  PyObject* key;
  PyObject* args;
  PyObject* kwargs;
  std::uint64_t owner;  // number of the strand whose dict that is; 0: ask again
  std::uint64_t step;   // that has this dict; 0: of no loop
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
constexpr const char* kThreadAsideKey = "celadon.locals, aside";
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

// An empty one for `local`, in `values`. Null with an exception.
Share* put_share(LocalObject& local, PyObject* values) noexcept {
  auto made = std::make_unique<Share>();
  made->dict.reset(PyDict_New());
  if (!made->dict) return nullptr;
  const py::Object capsule(PyCapsule_New(made.get(), kShareKey, free_share));
  if (!capsule) return nullptr;
  Share* share = made.release();  // the capsule's
  local.shares->push_back(*share);
  return PyDict_SetItem(values, local.key, capsule.get()) == 0 ? share : nullptr;
}

// Null where there is none, with an exception if that failed.
Share* find_share(const LocalObject& local, PyObject* values) noexcept {
  PyObject* found = PyDict_GetItemWithError(values, local.key);
  return found ? share_in(found) : nullptr;
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
PyObject* values_of_thread(const char* key = kThreadKey) noexcept {
  PyObject* state = PyThreadState_GetDict();
  if (!state) {
    PyErr_SetString(PyExc_SystemError, "Couldn't get thread-state dictionary");
    return nullptr;
  }
  if (PyObject* found = PyDict_GetItemString(state, key)) {
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
  if (PyDict_SetItemString(state, key, capsule.get()) < 0) return nullptr;
  return entry->values.get();
}

// These two: borrowed; null with an exception.
PyObject* values_of(Strand& strand) noexcept {
  return strand.is_main() ? values_of_thread() : strand.make_locals();
}
PyObject* asides_of(Strand& strand) noexcept {
  return strand.is_main() ? values_of_thread(kThreadAsideKey) : strand.make_asides();
}

// Whose dict it is: of the strand of that number, or of a step.
struct Place {
  PyObject* values;  // the map that has it; null: an exception is set
  std::uint64_t owner = 0;
  std::uint64_t step = 0;
};

void set_dict(LocalObject& local, PyObject* dict, const Place& place) noexcept {
  local.owner = place.owner;
  local.step = place.step;
  local.dict = dict;
}

void forget_dict(LocalObject& local) noexcept {
  set_dict(local, nullptr, {});
}

Place place_of_step(const LocalObject& local, Strand& strand) noexcept {
  const std::uint64_t step = strand.step();
  PyObject* asides = asides_of(strand);
  const Share* own = asides ? find_share(local, asides) : nullptr;
  if (!asides || (own && own->step == step)) return {asides, 0, step};
  PyObject* values = values_of(strand.known_as());
  const Share* common = values ? find_share(local, values) : nullptr;
  const bool is_in_use = common && is_under_way(common->step);
  return {is_in_use ? asides : values, 0, step};
}

// Where what runs now has, or is to have, its dict.
Place place_of(const LocalObject& local, Strand* strand) noexcept {
  if (strand && strand->step() != 0) return place_of_step(local, *strand);
  if (strand && !strand->is_main()) return {strand->make_locals(), strand->number()};
  return {values_of_thread()};
}

bool is_there(const LocalObject& local, const Strand* strand) noexcept {
  if (!strand || !local.dict) return false;
  if (strand->step() != 0) return local.step == strand->step();
  return !strand->is_main() && local.owner == strand->number();
}

// Turns `local` to the dict of what runs now. False with an exception.
bool attach(PyObject* self) noexcept {
  LocalObject& local = self_of(self);
  Strand* strand = current_strand();
  if (is_there(local, strand)) return true;
  const Place place = place_of(local, strand);
  if (!place.values) return false;
  if (Share* found = find_share(local, place.values)) {
    if (place.step != 0) found->step = place.step;
    set_dict(local, found->dict.get(), place);
    return true;
  }
  Share* share = PyErr_Occurred() ? nullptr : put_share(local, place.values);
  if (!share) return false;
  share->step = place.step;
  const py::Object fresh = py::Object::copy(share->dict.get());
  set_dict(local, fresh.get(), place);
  PyTypeObject* type = Py_TYPE(self);
  if (type->tp_init == PyBaseObject_Type.tp_init || !local.args) return true;
  // A subclass is initialised anew in each strand that uses it.
  if (type->tp_init(self, local.args, local.kwargs) == 0) {
    // It may have waited, and others used this local meanwhile.
    set_dict(local, fresh.get(), place);
    return true;
  }
  py::Object error = py::take_error();
  if (PyDict_DelItem(place.values, local.key) < 0) PyErr_Clear();
  forget_dict(local);
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
  const Place place = place_of(*self, current_strand());
  Share* share = place.values ? put_share(*self, place.values) : nullptr;
  if (!share) return nullptr;
  share->step = place.step;
  set_dict(*self, share->dict.get(), place);
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
    for (const auto& strand : hub->strands()) {
      take(strand->locals(), key, taken);
      take(strand->asides(), key, taken);
    }
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
  forget_dict(local);
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
    forget_dict(*local);
  }
}

int add_local_type(PyObject* module) noexcept {
  return py::add_type(module, local_spec) ? 0 : -1;
}

}  // namespace celadon::green
