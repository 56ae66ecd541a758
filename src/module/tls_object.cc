#include "module/tls_object.h"

#include <ctime>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/shared_memory.h"
#include "module/options.h"
#include "py/brief.h"
#include "py/type.h"
#include "tls/context.h"
#include "tls/issue.h"
#include "tls/source.h"

namespace celadon::module {
namespace {

PyTypeObject* tls_type = nullptr;

// Keys of tickets, in memory that processes share which are forked later.
class SharedKeys {
 public:
  // Null where the kernel gives no memory.
  [[nodiscard]] static std::shared_ptr<SharedKeys> make() noexcept {
    SharedMemory memory = SharedMemory::make(sizeof(tls::TicketKeys));
    return memory ? std::make_shared<SharedKeys>(std::move(memory)) : nullptr;
  }
  explicit SharedKeys(SharedMemory memory) noexcept
      : memory_(std::move(memory)), keys_(::new(memory_.get()) tls::TicketKeys()) {}
  [[nodiscard]] tls::TicketKeys& get() const noexcept { return *keys_; }

 private:
  SharedMemory memory_;
  tls::TicketKeys* keys_;
};

struct TlsMaterial {
  std::shared_ptr<SharedKeys> keys;
  std::shared_ptr<const tls::Context> context;
};

class Ciphers final : public net::CipherSource {
 public:
  Ciphers(TlsMaterial material, tls::Counters& counters, Clock& clock) noexcept
      : material_(std::move(material)),
        source_(material_.context, material_.keys->get(), counters, clock) {}
  [[nodiscard]] std::unique_ptr<net::Cipher> make() noexcept override {
    return source_.make();
  }

 private:
  TlsMaterial material_;
  tls::Source source_;
};

struct TlsObject {
  PyObject_HEAD TlsMaterial* material;
};

TlsMaterial& material_of(PyObject* self) noexcept {
  return *reinterpret_cast<TlsObject*>(self)->material;
}

// None: nothing of it. False with an exception where it is neither.
bool get_tls(PyObject* object, TlsMaterial& out) noexcept {
  if (object == Py_None) return true;
  if (!PyObject_TypeCheck(object, tls_type)) {
    py::raise_about(PyExc_TypeError, "not a Tls: %U", object);
    return false;
  }
  out = material_of(object);
  return true;
}

// Tls(settings, before): `before` is a Tls or None; its tickets are good here too.
PyObject* tls_new(PyTypeObject* type, PyObject* args, PyObject*) noexcept {
  PyObject *dict = nullptr, *before = nullptr;
  if (!PyArg_ParseTuple(args, "O!O:Tls", &PyDict_Type, &dict, &before)) return nullptr;
  tls::Settings settings;
  TlsMaterial material;
  if (!read_tls_options(dict, settings) || !get_tls(before, material)) return nullptr;
  if (!material.keys) material.keys = SharedKeys::make();
  if (!material.keys) return PyErr_NoMemory();
  auto loaded = tls::Context::load(settings, &material.keys->get(), std::time(nullptr));
  if (!loaded) {
    PyErr_SetString(PyExc_ValueError, loaded.error().c_str());
    return nullptr;
  }
  material.context = std::move(*loaded);
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  reinterpret_cast<TlsObject*>(self)->material = new TlsMaterial(std::move(material));
  return self;
}

void tls_dealloc(PyObject* self) noexcept {
  delete reinterpret_cast<TlsObject*>(self)->material;
  py::free_object(self);
}

PyObject* tls_expiries(PyObject* self, PyObject*) noexcept {
  py::Object all(PyList_New(0));
  for (const tls::Expiry& each : material_of(self).context->expiries()) {
    const py::Object item(Py_BuildValue("ssL", each.name.c_str(), each.file.c_str(),
                                        static_cast<long long>(each.at)));
    if (!all || !item || PyList_Append(all.get(), item.get()) < 0) return nullptr;
  }
  return all.release();
}

PyObject* in_python(const std::expected<tls::PemPair, std::string>& made) noexcept {
  if (made) return Py_BuildValue("ss", made->cert.c_str(), made->key.c_str());
  PyErr_SetString(PyExc_ValueError, made.error().c_str());
  return nullptr;
}

// make_authority(name, days)
PyObject* tls_make_authority(PyObject*, PyObject* args) noexcept {
  const char* name = nullptr;
  int days = 0;
  if (!PyArg_ParseTuple(args, "si:make_authority", &name, &days)) return nullptr;
  return in_python(tls::make_authority(name, days));
}

// issue(certificate, key, names, days): the first two are the authority's.
PyObject* tls_issue(PyObject*, PyObject* args) noexcept {
  const char *cert = nullptr, *key = nullptr;
  PyObject* list = nullptr;
  int days = 0;
  if (!PyArg_ParseTuple(args, "ssO!i:issue", &cert, &key, &PyList_Type, &list, &days)) {
    return nullptr;
  }
  std::vector<std::string> names;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    const char* name = PyUnicode_AsUTF8(PyList_GET_ITEM(list, i));
    if (!name) return nullptr;
    names.emplace_back(name);
  }
  return in_python(tls::sign_for({cert, key}, names, days));
}

PyMethodDef tls_methods[] = {
    {"expiries", tls_expiries, METH_NOARGS,
     "expiries() -> [(name, file, seconds since 1970) ...], one for each certificate"},
    {"make_authority", tls_make_authority, METH_VARARGS | METH_STATIC,
     "make_authority(name, days) -> (certificate, key), in PEM"},
    {"issue", tls_issue, METH_VARARGS | METH_STATIC,
     "issue(certificate, key, names, days) -> (certificate, key)\n\nSigned by the "
     "first "
     "two, an authority's; in PEM."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot tls_slots[] = {{Py_tp_new, py::as_slot(tls_new)},
                           {Py_tp_dealloc, py::as_slot(tls_dealloc)},
                           {Py_tp_methods, tls_methods},
                           {0, nullptr}};
PyType_Spec tls_spec{"celadon._core.Tls", sizeof(TlsObject), 0, Py_TPFLAGS_DEFAULT,
                     tls_slots};

}  // namespace

bool make_ciphers(PyObject* object, tls::Counters& counters, Clock& clock,
                  std::unique_ptr<net::CipherSource>& out) noexcept {
  TlsMaterial material;
  if (!get_tls(object, material)) return false;
  if (material.context) {
    out = std::make_unique<Ciphers>(std::move(material), counters, clock);
  }
  return true;
}

int add_tls(PyObject* module) noexcept {
  tls_type = py::add_type(module, tls_spec);
  return tls_type ? 0 : -1;
}

}  // namespace celadon::module
