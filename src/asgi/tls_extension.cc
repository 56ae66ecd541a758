#include "asgi/tls_extension.h"

#include "gateway/text.h"

namespace celadon::asgi {
namespace {

py::Object chain_of(const net::Secrecy& secrecy) noexcept {
  py::Object chain(PyList_New(0));
  for (const std::string& each : secrecy.client_chain) {
    const py::Object text = gateway::to_str(each);
    if (!chain || !text || PyList_Append(chain.get(), text.get()) < 0) return {};
  }
  return chain;
}

py::Object text_or_none(std::string_view text) noexcept {
  return text.empty() ? py::Object::copy(Py_None) : gateway::to_str(text);
}

}  // namespace

// A client whose certificate is not trusted has no request.
py::Object tls_extension(const net::Secrecy& secrecy) noexcept {
  const py::Object own = text_or_none(secrecy.server_certificate);
  const py::Object chain = chain_of(secrecy);
  const py::Object name = text_or_none(secrecy.client_name);
  if (!own || !chain || !name) return {};
  return py::Object(Py_BuildValue("{s:O,s:O,s:O,s:O,s:i,s:i}", "server_cert", own.get(),
                                  "client_cert_chain", chain.get(), "client_cert_name",
                                  name.get(), "client_cert_error", Py_None,
                                  "tls_version", int{secrecy.version_number},
                                  "cipher_suite", int{secrecy.suite_number}));
}

}  // namespace celadon::asgi
