// The environ of a request: a copied template with ready-made keys.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/address_texts.h"
#include "gateway/options.h"
#include "gateway/proxied.h"
#include "http/headers.h"
#include "py/ref.h"
#include "server/exchange.h"
#include "server/settings.h"
#include "wsgi/environ_shape.h"
#include "wsgi/tls_keys.h"

namespace celadon::wsgi {

class EnvironBuilder {
 public:
  explicit EnvironBuilder(gateway::EnvironOptions options) noexcept;
  // Makes the template; false with an exception.
  [[nodiscard]] bool prepare(PyObject* errors) noexcept;

  // A dict for this request, or null: with an exception, or with `rejection` set.
  // `lender` is who wants it back, if it is lent.
  [[nodiscard]] py::Object build(server::Exchange& x, const Kit& kit,
                                 http::Rejection& rejection, Shape*& lender) noexcept;
  // Whether it remembers anything of earlier requests.
  [[nodiscard]] bool remembers() const noexcept { return remembers_; }
  // Lets go of what no request had a use for since the last call.
  void forget_unused() noexcept;
  // Lets go of all of it.
  void forget() noexcept;

 private:
  // The keys that every environ has, in the order of the template.
  enum Key : std::uint8_t {
    kMethod,
    kPathInfo,
    kQueryString,
    kRawUri,
    kRequestUri,
    kProtocol,
    kServerName,
    kServerPort,
    kRemoteAddr,
    kRemotePort,
    kScriptName,
    kScheme,
    kInput,
    kEarlyHints,
    kInfo,
    kSoftware,
    kErrors,
    kVersion,
    kMultithread,
    kMultiprocess,
    kRunOnce,
    kFileWrapper,
    kInputTerminated,
    kContentLength,
    kTransferEncoding,
    kKeys
  };
  using Scheme = gateway::Scheme;

  [[nodiscard]] bool set(PyObject* environ, Key key, PyObject* value) noexcept;
  [[nodiscard]] bool set_text(PyObject* environ, Key key,
                              std::string_view text) noexcept;
  // The shape of a request's fields. Null with an exception.
  [[nodiscard]] Shape* shape_for(server::Exchange& x) noexcept;
  [[nodiscard]] Shape* find_shape(server::Exchange& x) noexcept;
  // A template holds all of such a request.
  [[nodiscard]] bool may_lend(const server::Exchange& x, Scheme scheme) const noexcept;
  [[nodiscard]] bool update(Template& form, server::Exchange& x,
                            const Kit& kit) noexcept;
  [[nodiscard]] static bool is_plain_target(const http::Request& r) noexcept;
  [[nodiscard]] bool update_target(Template& form, const http::Request& r) noexcept;
  [[nodiscard]] bool update_fields(Template& form, server::Exchange& x) noexcept;
  [[nodiscard]] bool update_addresses(Template& form,
                                      const server::Connection& connection) noexcept;
  // What a template does not hold.
  [[nodiscard]] bool complete(PyObject* environ, const Template& form,
                              server::Exchange& x, Scheme scheme) noexcept;
  [[nodiscard]] bool add_large_fields(PyObject* environ, server::Exchange& x) noexcept;
  [[nodiscard]] bool add_named_host(PyObject* environ, const http::Request& r) noexcept;
  void forget_names_when_many() noexcept;
  [[nodiscard]] bool add_target(PyObject* environ, const http::Request& r) noexcept;
  // `same` is a str of that very text, if there is one.
  [[nodiscard]] bool set_path(PyObject* environ, std::string_view path,
                              PyObject* same) noexcept;
  [[nodiscard]] bool add_fields(PyObject* environ, server::Exchange& x) noexcept;
  [[nodiscard]] bool add_field(PyObject* environ, const http::Request& r,
                               const http::Field& field) noexcept;
  [[nodiscard]] bool join_repeated(PyObject* environ, PyObject* key,
                                   const http::Request& r,
                                   const http::Field& field) noexcept;
  [[nodiscard]] bool add_unix_server(PyObject* environ, const http::Request& r,
                                     bool secure) noexcept;
  [[nodiscard]] bool add_forwarder_headers(PyObject* environ,
                                           const server::Exchange& x) noexcept;
  [[nodiscard]] bool replace_field(PyObject* environ, std::string name,
                                   const http::Request& r,
                                   const http::Field& field) noexcept;
  [[nodiscard]] bool add_forwarded(PyObject* environ, server::Exchange& x) noexcept;
  [[nodiscard]] bool add_root(PyObject* environ, const server::Exchange& x) noexcept;
  [[nodiscard]] bool set_decoded_path(PyObject* environ, const server::Exchange& x,
                                      std::string_view path) noexcept;
  [[nodiscard]] bool add_buffered_length(PyObject* environ,
                                         server::Exchange& x) noexcept;
  [[nodiscard]] PyObject* key_for(const http::Request& r,
                                  const http::Field& field) noexcept;
  [[nodiscard]] bool skips(const server::Exchange& x,
                           const http::Field& field) const noexcept;

  // Beyond it unknown names are forgotten: so many, or of so many bytes.
  static constexpr std::size_t kMemo = 512;
  static constexpr std::size_t kMemoBytes = std::size_t{64} << 10;

  const gateway::EnvironOptions options_;
  py::Object template_;
  std::array<py::Object, kKeys> keys_;
  std::array<py::Object, http::kKnownHeaders> header_keys_;
  TlsKeys tls_keys_;
  std::unordered_map<std::string, py::Object> memo_;
  std::size_t memo_bytes_ = 0;  // of the names in it
  Shapes shapes_;
  std::vector<PyObject*> sequence_;  // the keys of the request being built
  // The shapes of header blocks that came of late.
  struct Known {
    std::uint64_t block = 0;
    std::uint64_t number = 0;  // of the shape
    Shape* shape = nullptr;
    bool trusted = false;
  };
  std::array<Known, 32> known_;
  bool lends_ = false;
  bool remembers_ = false;
  bool used_ = false;  // of late
  py::Object http_;
  py::Object https_;
  py::Object http10_;
  py::Object empty_;
  gateway::AddressTexts texts_;
  std::string decoded_;
};

}  // namespace celadon::wsgi
