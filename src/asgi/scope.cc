#include "asgi/scope.h"

#include <algorithm>
#include <utility>

#include "asgi/tls_extension.h"
#include "base/memory.h"
#include "gateway/text.h"
#include "http/chars.h"
#include "http/field_rules.h"
#include "http/target.h"
#include "ws/handshake.h"

namespace celadon::asgi {
namespace {

py::Object to_bytes(std::string_view text) noexcept {
  return py::Object(
      PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}

py::Object intern(const char* text) noexcept {
  return py::Object(PyUnicode_InternFromString(text));
}

bool put(PyObject* dict, Name key, PyObject* value) noexcept {
  return value && PyDict_SetItem(dict, name_of(key), value) == 0;
}
bool put(PyObject* dict, Name key, const py::Object& value) noexcept {
  return put(dict, key, value.get());
}

std::string lower(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// UTF-8; what is none of it is shown as U+FFFD.
py::Object decode(std::string_view text) noexcept {
  return py::Object(PyUnicode_DecodeUTF8(
      text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

bool is_below(std::string_view path, std::string_view root) noexcept {
  return path.starts_with(root) &&
         (path.size() == root.size() || path[root.size()] == '/');
}

py::Object make_extensions(std::initializer_list<const char*> names) noexcept {
  py::Object extensions(PyDict_New());
  for (const char* name : names) {
    const py::Object nothing(PyDict_New());
    if (!extensions || !nothing ||
        PyDict_SetItemString(extensions.get(), name, nothing.get()) < 0)
      return {};
  }
  return extensions;
}

}  // namespace

bool ScopeBuilder::prepare(PyObject* state) noexcept {
  if (!make_names()) return false;
  if (state != Py_None) state_ = py::Object::copy(state);
  get_ = intern("GET");
  post_ = intern("POST");
  http11_ = intern("1.1");
  http10_ = intern("1.0");
  http2_ = intern("2");
  http_ = intern("http");
  https_ = intern("https");
  ws_ = intern("ws");
  wss_ = intern("wss");
  no_bytes_ = to_bytes("");
  info_key_ = intern("celadon.request");
  tls_key_ = intern("tls");
  for (std::size_t i = 0; i < http::kKnownHeaders; ++i) {
    header_names_[i] =
        to_bytes(lower(http::header_name(static_cast<http::HeaderId>(i))));
    if (!header_names_[i]) return false;
  }
  extensions_ = make_extensions(
      {"http.response.pathsend", "http.response.early_hint", "http.response.trailers"});
  extensions_of_10_ = make_extensions({"http.response.pathsend"});
  extensions_of_sockets_ = make_extensions({"websocket.http.response"});
  const py::Object asgi(
      Py_BuildValue("{s:s,s:s}", "version", "3.0", "spec_version", "2.4"));
  template_.reset(PyDict_New());
  if (!template_ || !asgi || !get_ || !http11_ || !http10_ || !http2_ || !http_ ||
      !https_ || !ws_ || !wss_ || !extensions_of_sockets_ || !post_ || !no_bytes_ ||
      !info_key_ || !tls_key_ || !extensions_ || !extensions_of_10_) {
    return false;
  }
  PyObject* scope = template_.get();
  // A place for each key, so that a copy never has to grow.
  for (const Name key : {Name::Path, Name::RawPath, Name::QueryString, Name::RootPath,
                         Name::Headers, Name::Client, Name::Server, Name::Extensions}) {
    if (!put(scope, key, Py_None)) return false;
  }
  return put(scope, Name::Type, http_) && put(scope, Name::Asgi, asgi) &&
         put(scope, Name::HttpVersion, http11_) && put(scope, Name::Method, get_) &&
         put(scope, Name::Scheme, http_) &&
         (!state_ || put(scope, Name::State, Py_None));
}

// What differs where the request asks for a WebSocket.
bool ScopeBuilder::be_socket(PyObject* scope, const server::Exchange& x,
                             bool secure) noexcept {
  const py::Object offered(PyList_New(0));
  for (const std::string_view each : ws::offered_subprotocols(x.request())) {
    const py::Object text = gateway::to_str(each);
    if (!offered || !text || PyList_Append(offered.get(), text.get()) < 0) return false;
  }
  return put(scope, Name::Type, name_of(Name::Websocket)) &&
         put(scope, Name::Scheme, secure ? wss_ : ws_) &&
         put(scope, Name::Subprotocols, offered) &&
         PyDict_DelItem(scope, name_of(Name::Method)) == 0;
}

py::Object ScopeBuilder::build(server::Exchange& x, PyObject* info, bool is_socket,
                               http::Rejection& rejection) noexcept {
  used_ = remembers_ = true;
  const auto scheme = gateway::scheme_of(x, options_);
  if (scheme == gateway::Scheme::Contradiction) {
    rejection = http::Rejection::BadForwarded;
    return {};
  }
  py::Object scope(PyDict_Copy(template_.get()));
  if (!scope) return {};
  PyObject* s = scope.get();
  const bool secure = scheme == gateway::Scheme::Https;
  const std::string_view method = x.method();
  const http::Version version = x.carrier.version;
  const bool done =
      (method == "GET" ||
       (method == "POST" ? put(s, Name::Method, post_)
                         : put(s, Name::Method, gateway::to_str(method)))) &&
      (version == http::Version::Http11 ||
       put(s, Name::HttpVersion,
           version == http::Version::Http10 ? http10_ : http2_)) &&
      (!secure || put(s, Name::Scheme, https_)) && add_target(s, x) &&
      put(s, Name::Headers, headers_of(x)) && add_addresses(s, x) &&
      add_extensions(s,
                     is_socket               ? extensions_of_sockets_.get()
                     : x.carrier.is_http10() ? extensions_of_10_.get()
                                             : extensions_.get(),
                     info, x.connection().cipher) &&
      (!is_socket || be_socket(s, x, secure)) &&
      (!state_ || put(s, Name::State, py::Object(PyDict_Copy(state_.get()))));
  return done ? std::move(scope) : py::Object();
}

// --- the target ---

// The path begins with the root, whether a proxy has taken it away or not: by
// what the application sees of it, where %2F is a slash. The server as a whole is not
// below it. What this application is mounted at follows, or it would not have the
// request.
std::string_view ScopeBuilder::path_of(std::string_view raw, std::string_view root) {
  const bool is_plain = raw.find('%') == std::string_view::npos;
  if (is_plain && (root.empty() || is_below(raw, root) || raw == "*")) return raw;
  scratch_.clear();
  http::percent_decode(raw, scratch_);
  if (!is_below(scratch_, root)) scratch_.insert(0, root);
  return scratch_;
}

bool ScopeBuilder::add_target(PyObject* scope, server::Exchange& x) noexcept {
  const http::Request& r = x.request();
  const std::string_view root = gateway::root_path_of(x, options_);
  const std::string_view raw = r.path_text();
  const std::string_view query = r.text(r.query);
  return put(scope, Name::Path, decode(path_of(raw, root))) &&
         put(scope, Name::RawPath, to_bytes(raw)) &&
         (query.empty() ? put(scope, Name::QueryString, no_bytes_)
                        : put(scope, Name::QueryString, to_bytes(query))) &&
         put(scope, Name::RootPath,
             options_.mount.empty() ? decode(root)
                                    : decode(std::string(root) + options_.mount));
}

// --- addresses ---

py::Object ScopeBuilder::address(const net::Address& address,
                                 std::uint16_t port) noexcept {
  PyObject* ip = texts_.ip(address);
  const py::Object number(PyLong_FromLong(port));
  return py::Object(ip && number ? PyTuple_Pack(2, ip, number.get()) : nullptr);
}

// None stays there for a socket without a name.
bool ScopeBuilder::add_unix_server(PyObject* scope, std::string_view path) noexcept {
  if (path.empty()) return true;
  const py::Object text(PyUnicode_DecodeFSDefaultAndSize(
      path.data(), static_cast<Py_ssize_t>(path.size())));
  return text &&
         put(scope, Name::Server, py::Object(PyTuple_Pack(2, text.get(), Py_None)));
}

bool ScopeBuilder::add_addresses(PyObject* scope, server::Exchange& x) noexcept {
  const server::Connection& connection = x.connection();
  const net::Address& local = connection.local;
  if (local.family() == net::Family::Unix) {
    if (!add_unix_server(scope, x.local_path())) return false;
  } else if (!put(scope, Name::Server, address(local, local.port()))) {
    return false;
  }
  // A proxy says no port.
  if (const auto client = gateway::client_by_proxies(x, options_))
    return put(scope, Name::Client, address(*client, 0));
  if (connection.peer.family() == net::Family::Unix) return true;
  return put(scope, Name::Client, address(connection.peer, connection.peer.port()));
}

bool ScopeBuilder::add_extensions(PyObject* scope, PyObject* known, PyObject* info,
                                  const net::Cipher* cipher) noexcept {
  const py::Object own(PyDict_Copy(known));
  if (!own || PyDict_SetItem(own.get(), info_key_.get(), info) < 0) return false;
  if (cipher) {
    const py::Object tls = tls_extension(cipher->secrecy());
    if (!tls || PyDict_SetItem(own.get(), tls_key_.get(), tls.get()) < 0) return false;
  }
  return put(scope, Name::Extensions, own);
}

// --- fields ---

// Names with underscores that a proxy may send (HF10), too.
bool ScopeBuilder::shows(const server::Exchange& x,
                         const http::Field& field) const noexcept {
  if (!gateway::hides(x, field, options_)) return true;
  const auto& allowed = options_.forwarder_headers;
  if (allowed.empty() || !x.connection().trusted ||
      !http::has_trait(field.id, http::Trait::Ambiguous))
    return false;
  return std::ranges::any_of(allowed, [&](const std::string& name) {
    return http::equals_ignoring_case(x.request().name(field), name);
  });
}

py::Object ScopeBuilder::name_for(const http::Request& r,
                                  const http::Field& field) noexcept {
  if (field.id < http::HeaderId::Count)
    return py::Object::copy(header_names_[static_cast<std::size_t>(field.id)].get());
  std::string name = lower(r.name(field));
  const auto found = memo_.find(name);
  if (found != memo_.end()) return py::Object::copy(found->second.get());
  py::Object bytes = to_bytes(name);
  if (!bytes || name.size() > kLongestName) return bytes;
  if (memo_.size() >= kMemo) memo_.clear();  // a peer chooses the names
  memo_.emplace(std::move(name), py::Object::copy(bytes.get()));
  return bytes;
}

py::Object ScopeBuilder::headers_of(server::Exchange& x) noexcept {
  const http::Request& r = x.request();
  const bool trusted = x.connection().trusted;
  Known& known = known_[r.block % known_.size()];
  const auto copy = [](const py::Object& list) {
    return py::Object(PyList_GetSlice(list.get(), 0, PyList_GET_SIZE(list.get())));
  };
  const bool is_plain = r.block != 0 && r.authority.size == 0;
  if (is_plain && known.block == r.block && known.trusted == trusted)
    return copy(known.pairs);
  bool plain = r.block != 0 && x.head_size() <= kRemembered;
  py::Object pairs = make_headers(x, plain);
  if (!pairs || !plain) return pairs;
  known = {r.block, trusted, std::move(pairs)};
  return copy(known.pairs);
}

// `plain`: nothing of them is another request's than one of the same block.
py::Object ScopeBuilder::make_headers(server::Exchange& x, bool& plain) noexcept {
  const http::Request& r = x.request();
  py::Object list(PyList_New(0));
  const auto add = [&list](PyObject* name, std::string_view value) {
    const py::Object bytes = to_bytes(value);
    const py::Object pair(name && bytes ? PyTuple_Pack(2, name, bytes.get()) : nullptr);
    return pair && PyList_Append(list.get(), pair.get()) == 0;
  };
  const auto known_name = [this](http::HeaderId id) {
    return header_names_[static_cast<std::size_t>(id)].get();
  };
  // The body is here as a whole: its length is known, however it was framed (EN03).
  const bool is_measured = r.body == http::BodyKind::Chunked && x.buffered() &&
                           x.body_state() == server::BodyState::Complete;
  bool is_named = r.authority.size == 0;  // an absolute target names the host (RL09)
  plain = plain && is_named && !is_measured;
  for (const http::Field& field : r.fields) {
    if (!list || !shows(x, field)) continue;
    std::string_view value = r.value(field);
    std::string length;
    py::Object name = name_for(r, field);
    if (field.id == http::HeaderId::Host && !is_named) {
      value = r.text(r.authority);
      is_named = true;
    } else if (field.id == http::HeaderId::TransferEncoding && is_measured) {
      length = std::to_string(x.body_size());
      name = py::Object::copy(known_name(http::HeaderId::ContentLength));
      value = length;
    }
    if (!add(name.get(), value)) return {};
  }
  if (list && !is_named && !add(known_name(http::HeaderId::Host), r.text(r.authority)))
    return {};
  return list;
}

void ScopeBuilder::forget_unused() noexcept {
  if (!std::exchange(used_, false)) forget();
}

void ScopeBuilder::forget() noexcept {
  decltype(memo_)().swap(memo_);  // its buckets as well
  known_ = {};
  texts_.clear();
  give_back(scratch_);
  remembers_ = false;
}

}  // namespace celadon::asgi
