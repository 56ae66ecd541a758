// The module of a celadon that was built where OpenSSL is not: it has no Tls.
#include "module/tls_object.h"

namespace celadon::module {

bool make_ciphers(PyObject* object, tls::Counters&, Clock&,
                  std::unique_ptr<net::CipherSource>&) noexcept {
  if (object == Py_None) return true;
  PyErr_SetString(PyExc_RuntimeError, "celadon was built without OpenSSL");
  return false;
}

int add_tls(PyObject*) noexcept {
  return 0;
}

}  // namespace celadon::module
