#include "wsgi/tls_keys.h"

#include <algorithm>

#include "gateway/text.h"

namespace celadon::wsgi {
namespace {

constexpr std::array kNames{"HTTPS",           "SSL_PROTOCOL",
                            "SSL_CIPHER",      "SSL_CLIENT_VERIFY",
                            "SSL_CLIENT_S_DN", "SSL_CLIENT_CERT"};

}  // namespace

bool TlsKeys::prepare() noexcept {
  static_assert(kNames.size() == kKeys);
  std::ranges::transform(kNames, keys_.begin(), [](const char* name) {
    return py::Object(PyUnicode_InternFromString(name));
  });
  on_.reset(PyUnicode_InternFromString("on"));
  return on_ && std::ranges::all_of(keys_, [](const py::Object& key) {
           return static_cast<bool>(key);
         });
}

bool TlsKeys::set(PyObject* environ, Key key, std::string_view text) const noexcept {
  const py::Object value = gateway::to_str(text);
  return value && PyDict_SetItem(environ, keys_[key].get(), value.get()) == 0;
}

bool TlsKeys::add(PyObject* environ, const net::Secrecy& secrecy) const noexcept {
  if (PyDict_SetItem(environ, keys_[kHttps].get(), on_.get()) < 0 ||
      !set(environ, kProtocol, secrecy.version) ||
      !set(environ, kCipher, secrecy.suite)) {
    return false;
  }
  if (!secrecy.asks_clients) return true;
  if (secrecy.client_chain.empty()) return set(environ, kClientVerify, "NONE");
  return set(environ, kClientVerify, "SUCCESS") &&
         set(environ, kClientName, secrecy.client_name) &&
         set(environ, kClientCertificate, secrecy.client_chain.front());
}

}  // namespace celadon::wsgi
