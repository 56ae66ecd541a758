// The scope of a request: a copied template, with what differs.
//
// Clients send the same block of fields again and again: the list of pairs made of it
// is remembered, and copied.
#pragma once

#include <array>
#include <string>
#include <unordered_map>

#include "asgi/names.h"
#include "gateway/address_texts.h"
#include "gateway/options.h"
#include "gateway/proxied.h"
#include "http/headers.h"
#include "py/ref.h"
#include "server/exchange.h"

namespace celadon::asgi {

class ScopeBuilder {
 public:
  explicit ScopeBuilder(const gateway::EnvironOptions& options) noexcept
      : options_(options) {}
  // `state`: the lifespan's, or None. False with an exception.
  [[nodiscard]] bool prepare(PyObject* state) noexcept;

  // A dict for this request, or null: with an exception, or with `rejection` set.
  // `info`: what the server says of it.
  [[nodiscard]] py::Object build(server::Exchange& x, PyObject* info, bool is_socket,
                                 http::Rejection& rejection) noexcept;

  [[nodiscard]] bool remembers() const noexcept { return remembers_; }
  void forget_unused() noexcept;
  void forget() noexcept;

 private:
  struct Known {
    std::uint64_t block = 0;
    bool trusted = false;
    py::Object pairs;  // a list
  };

  [[nodiscard]] bool add_target(PyObject* scope, server::Exchange& x) noexcept;
  [[nodiscard]] std::string_view path_of(std::string_view raw, std::string_view root);
  [[nodiscard]] bool add_addresses(PyObject* scope, server::Exchange& x) noexcept;
  [[nodiscard]] bool add_unix_server(PyObject* scope, std::string_view path) noexcept;
  [[nodiscard]] bool add_extensions(PyObject* scope, PyObject* known, PyObject* info,
                                    const net::Cipher* cipher) noexcept;
  [[nodiscard]] bool be_socket(PyObject* scope, const server::Exchange& x,
                               bool secure) noexcept;
  [[nodiscard]] py::Object headers_of(server::Exchange& x) noexcept;
  [[nodiscard]] py::Object make_headers(server::Exchange& x, bool& plain) noexcept;
  [[nodiscard]] bool shows(const server::Exchange& x,
                           const http::Field& field) const noexcept;
  [[nodiscard]] py::Object name_for(const http::Request& r,
                                    const http::Field& field) noexcept;
  [[nodiscard]] py::Object address(const net::Address& address,
                                   std::uint16_t port) noexcept;

  static constexpr std::size_t kMemo = 512;  // beyond it unknown names are forgotten
  static constexpr std::size_t kLongestName = 64;   // bytes of one that is remembered
  static constexpr std::size_t kRemembered = 4096;  // bytes of a block

  const gateway::EnvironOptions& options_;
  py::Object state_;
  py::Object template_;
  py::Object extensions_;  // of HTTP/1.1 and later
  py::Object extensions_of_10_;
  py::Object extensions_of_sockets_;
  py::Object info_key_;
  py::Object tls_key_;
  py::Object get_, post_, http11_, http10_, http2_, http_, https_, ws_, wss_, no_bytes_;
  std::array<py::Object, http::kKnownHeaders> header_names_;
  std::unordered_map<std::string, py::Object> memo_;
  std::array<Known, 32> known_;
  gateway::AddressTexts texts_;
  std::string scratch_;
  bool remembers_ = false;
  bool used_ = false;  // of late
};

}  // namespace celadon::asgi
