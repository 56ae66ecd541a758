#include "wsgi/environ.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/memory.h"
#include "gateway/text.h"
#include "http/field_rules.h"
#include "http/target.h"
#include "wsgi/file_wrapper.h"

namespace celadon::wsgi {
namespace {

constexpr std::array kKeyNames{"REQUEST_METHOD",
                               "PATH_INFO",
                               "QUERY_STRING",
                               "RAW_URI",
                               "REQUEST_URI",
                               "SERVER_PROTOCOL",
                               "SERVER_NAME",
                               "SERVER_PORT",
                               "REMOTE_ADDR",
                               "REMOTE_PORT",
                               "SCRIPT_NAME",
                               "wsgi.url_scheme",
                               "wsgi.input",
                               "wsgi.early_hints",
                               "celadon.request",
                               "SERVER_SOFTWARE",
                               "wsgi.errors",
                               "wsgi.version",
                               "wsgi.multithread",
                               "wsgi.multiprocess",
                               "wsgi.run_once",
                               "wsgi.file_wrapper",
                               "wsgi.input_terminated",
                               "CONTENT_LENGTH",
                               "HTTP_TRANSFER_ENCODING"};

std::string environ_name(std::string_view header) {
  std::string name = "HTTP_";
  if (http::equals_ignoring_case(header, "content-type") ||
      http::equals_ignoring_case(header, "content-length")) {
    name.clear();
  }
  for (const char c : header) {
    const bool lower = c >= 'a' && c <= 'z';
    name += c == '-' ? '_' : lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

py::Object intern(const std::string& text) noexcept {
  return py::Object(PyUnicode_InternFromString(text.c_str()));
}

}  // namespace

EnvironBuilder::EnvironBuilder(gateway::EnvironOptions options) noexcept
    : options_(std::move(options)) {}

bool EnvironBuilder::prepare(PyObject* errors) noexcept {
  static_assert(kKeyNames.size() == kKeys);
  for (std::size_t i = 0; i < kKeys; ++i) keys_[i] = intern(kKeyNames[i]);
  for (std::size_t i = 0; i < http::kKnownHeaders; ++i) {
    header_keys_[i] =
        intern(environ_name(http::header_name(static_cast<http::HeaderId>(i))));
  }
  http_ = intern("http");
  https_ = intern("https");
  http10_ = intern("HTTP/1.0");
  empty_ = intern("");
  const py::Object http11 = intern("HTTP/1.1");
  const py::Object get = intern("GET");
  const py::Object version(Py_BuildValue("(ii)", 1, 0));
  const py::Object software = gateway::to_str(options_.software);
  const py::Object root = gateway::to_str(options_.root_path);
  lends_ = tells_of_writes();
  template_.reset(PyDict_New());
  if (!template_ || !version || !software || !root || !empty_ || !tls_keys_.prepare())
    return false;
  PyObject* env = template_.get();
  // Placeholders keep a place for every key, so that a copy never has to grow.
  for (int key = 0; key < kContentLength; ++key) {
    if (!set(env, static_cast<Key>(key), Py_None)) return false;
  }
  return set(env, kMethod, get.get()) && set(env, kProtocol, http11.get()) &&
         set(env, kQueryString, empty_.get()) && set(env, kVersion, version.get()) &&
         set(env, kErrors, errors) && set(env, kMultithread, Py_True) &&
         set(env, kRunOnce, Py_False) &&
         set(env, kMultiprocess, options_.multiprocess ? Py_True : Py_False) &&
         set(env, kInputTerminated, Py_True) && set(env, kSoftware, software.get()) &&
         set(env, kScriptName, root.get()) && set(env, kScheme, http_.get()) &&
         set(env, kFileWrapper, file_wrapper_type());
}

bool EnvironBuilder::set(PyObject* environ, Key key, PyObject* value) noexcept {
  return PyDict_SetItem(environ, keys_[key].get(), value) == 0;
}

bool EnvironBuilder::set_text(PyObject* environ, Key key,
                              std::string_view text) noexcept {
  if (text.empty()) return set(environ, key, empty_.get());
  const py::Object value = gateway::to_str(text);
  return value && set(environ, key, value.get());
}

py::Object EnvironBuilder::build(server::Exchange& x, const Kit& kit,
                                 http::Rejection& rejection, Shape*& lender) noexcept {
  lender = nullptr;
  used_ = remembers_ = true;
  const Scheme scheme = gateway::scheme_of(x, options_);
  if (scheme == Scheme::Contradiction) {
    rejection = http::Rejection::BadForwarded;
    return {};
  }
  Shape* shape = shape_for(x);
  if (!shape) return {};
  Template* form = may_lend(x, scheme) ? shape->to_lend(template_.get()) : nullptr;
  if (form) {
    lender = shape;
  } else {
    form = shape->to_copy(template_.get());
  }
  if (!form || !update(*form, x, kit)) return {};
  if (form->large) lender = nullptr;
  py::Object environ = lender ? lender->lend() : py::Object(PyDict_Copy(form->dict()));
  if (environ && complete(environ.get(), *form, x, scheme)) return environ;
  if (lender) lender->take_back(environ);
  lender = nullptr;
  return {};
}

bool EnvironBuilder::may_lend(const server::Exchange& x, Scheme scheme) const noexcept {
  const http::Request& r = x.request();
  const server::Connection& connection = x.connection();
  return lends_ && scheme == Scheme::Http && !x.carrier.is_http10() && !r.upgrade &&
         is_plain_target(r) && r.body != http::BodyKind::Chunked &&
         connection.peer.family() != net::Family::Unix &&
         connection.local.family() != net::Family::Unix && options_.root_path.empty() &&
         options_.mount.empty();
}

Shape* EnvironBuilder::shape_for(server::Exchange& x) noexcept {
  const std::uint64_t block = x.request().block;
  const bool trusted = x.connection().trusted;
  Known& known = known_[block % known_.size()];
  if (block != 0 && known.block == block && known.trusted == trusted &&
      known.shape->number() == known.number) {
    return known.shape;
  }
  Shape* shape = find_shape(x);
  if (shape && block != 0) known = {block, shape->number(), shape, trusted};
  return shape;
}

Shape* EnvironBuilder::find_shape(server::Exchange& x) noexcept {
  const http::Request& r = x.request();
  sequence_.clear();
  forget_names_when_many();
  for (const http::Field& field : r.fields) {
    if (!skips(x, field)) sequence_.push_back(key_for(r, field));
  }
  if (std::ranges::find(sequence_, nullptr) != sequence_.end()) return nullptr;
  return &shapes_.find(sequence_);
}

bool EnvironBuilder::update(Template& form, server::Exchange& x,
                            const Kit& kit) noexcept {
  const http::Request& r = x.request();
  if (!holds(form.method, x.method())) {
    form.method.key = keys_[kMethod].get();
    if (!form.put(form.method, gateway::to_str(x.method()))) return false;
  }
  return form.lend_kit(keys_[kInput].get(), keys_[kEarlyHints].get(),
                       keys_[kInfo].get(), kit) &&
         update_addresses(form, x.connection()) && update_target(form, r) &&
         ((r.block != 0 && r.block == form.block) || update_fields(form, x));
}

// An absolute or a long target is added to the copy.
bool EnvironBuilder::is_plain_target(const http::Request& r) noexcept {
  return r.authority.size == 0 && r.target.size <= Template::kRemembered;
}

bool EnvironBuilder::update_target(Template& form, const http::Request& r) noexcept {
  if (!is_plain_target(r) || holds(form.target, r.text(r.target))) return true;
  form.target.value = nullptr;
  if (!add_target(form.dict(), r)) return false;
  form.target.value = PyDict_GetItemWithError(form.dict(), keys_[kRawUri].get());
  return true;
}

bool EnvironBuilder::update_fields(Template& form, server::Exchange& x) noexcept {
  form.block = 0;
  form.large = false;
  if (form.repeats()) return true;
  const http::Request& r = x.request();
  std::size_t at = 0;
  for (const http::Field& field : r.fields) {
    if (skips(x, field)) continue;
    Template::Slot& slot = form.field(at++);
    const std::string_view value = r.value(field);
    if (value.size() > Template::kRemembered) {
      form.large = true;
    } else if (!holds(slot, value) && !form.put(slot, gateway::to_str(value))) {
      return false;
    }
  }
  form.block = r.block;
  return true;
}

bool EnvironBuilder::update_addresses(Template& form,
                                      const server::Connection& connection) noexcept {
  const auto put = [&](Key key, PyObject* text) noexcept {
    return text && PyDict_SetItem(form.dict(), keys_[key].get(), text) == 0;
  };
  const net::Address& local = connection.local;
  if (form.local != local) {
    form.local = {};
    if (!put(kServerName, texts_.ip(local)) ||
        !put(kServerPort, texts_.port(local.port())))
      return false;
    form.local = local;
  }
  const net::Address& peer = connection.peer;
  if (form.peer == peer) return true;
  const bool same_ip = form.peer.has_ip_of(peer);
  form.peer = {};
  if ((!same_ip && !put(kRemoteAddr, texts_.ip(peer))) ||
      !put(kRemotePort, texts_.port(peer.port())))
    return false;
  form.peer = peer;
  return true;
}

bool EnvironBuilder::complete(PyObject* env, const Template& form, server::Exchange& x,
                              Scheme scheme) noexcept {
  const http::Request& r = x.request();
  const bool secure = scheme == Scheme::Https;
  return (!secure || set(env, kScheme, https_.get())) &&
         (!x.carrier.tls || tls_keys_.add(env, x.connection().cipher->secrecy())) &&
         (!x.carrier.is_http10() || set(env, kProtocol, http10_.get())) &&
         (is_plain_target(r) || add_target(env, r)) &&
         (!form.repeats() || add_fields(env, x)) &&
         (!form.large || add_large_fields(env, x)) && add_named_host(env, r) &&
         (x.connection().peer.family() != net::Family::Unix ||
          PyDict_DelItem(env, keys_[kRemotePort].get()) == 0) &&
         (x.connection().local.family() != net::Family::Unix ||
          add_unix_server(env, r, secure)) &&
         add_root(env, x) && (!x.connection().trusted || add_forwarded(env, x)) &&
         add_buffered_length(env, x);
}

bool EnvironBuilder::add_target(PyObject* env, const http::Request& r) noexcept {
  const py::Object target = gateway::to_str(r.text(r.target));
  if (!target || !set(env, kRawUri, target.get()) ||
      !set(env, kRequestUri, target.get())) {
    return false;
  }
  if (!set_text(env, kQueryString, r.text(r.query))) return false;
  const std::string_view path = r.path_text();
  if (path.size() == r.target.size) return set_path(env, path, target.get());
  return set_path(env, path, nullptr);
}

bool EnvironBuilder::add_fields(PyObject* env, server::Exchange& x) noexcept {
  const http::Request& r = x.request();
  for (const http::Field& field : r.fields) {
    if (!skips(x, field) && !add_field(env, r, field)) return false;
  }
  return true;
}

bool EnvironBuilder::add_large_fields(PyObject* env, server::Exchange& x) noexcept {
  const http::Request& r = x.request();
  for (const http::Field& field : r.fields) {
    if (skips(x, field) || field.value_size <= Template::kRemembered) continue;
    const py::Object value = gateway::to_str(r.value(field));
    if (!value || PyDict_SetItem(env, key_for(r, field), value.get()) < 0) return false;
  }
  return true;
}

// An absolute target names the host (RL09).
bool EnvironBuilder::add_named_host(PyObject* env, const http::Request& r) noexcept {
  if (r.authority.size == 0) return true;
  const py::Object host = gateway::to_str(r.text(r.authority));
  PyObject* key = header_keys_[static_cast<std::size_t>(http::HeaderId::Host)].get();
  return host && PyDict_SetItem(env, key, host.get()) == 0;
}

bool EnvironBuilder::skips(const server::Exchange& x,
                           const http::Field& field) const noexcept {
  return gateway::hides(x, field, options_);
}

PyObject* EnvironBuilder::key_for(const http::Request& r,
                                  const http::Field& field) noexcept {
  if (field.id < http::HeaderId::Count) {
    return header_keys_[static_cast<std::size_t>(field.id)].get();
  }
  std::string name(r.name(field));
  const auto found = memo_.find(name);
  if (found != memo_.end()) return found->second.get();
  py::Object key = gateway::to_str(environ_name(name));
  if (!key) return nullptr;  // the next one tries again
  memo_bytes_ += name.size();
  return memo_.emplace(std::move(name), std::move(key)).first->second.get();
}

// Bounded, since a peer chooses the names. Shapes borrow their keys from here.
void EnvironBuilder::forget_names_when_many() noexcept {
  if (memo_.size() < kMemo && memo_bytes_ < kMemoBytes) return;
  shapes_.clear();
  memo_.clear();
  memo_bytes_ = 0;
}

void EnvironBuilder::forget_unused() noexcept {
  if (!std::exchange(used_, false)) return forget();
  shapes_.clear_unused();
  std::erase_if(memo_, [this](const auto& name) {
    if (shapes_.have(name.second.get())) return false;
    memo_bytes_ -= name.first.size();
    return true;
  });
}

void EnvironBuilder::forget() noexcept {
  shapes_.clear();
  decltype(memo_)().swap(memo_);  // its buckets as well
  memo_bytes_ = 0;
  known_ = {};
  texts_.clear();
  give_back(sequence_);
  give_back(decoded_);
  remembers_ = false;
}

bool EnvironBuilder::add_field(PyObject* env, const http::Request& r,
                               const http::Field& field) noexcept {
  PyObject* key = key_for(r, field);
  const py::Object value = key ? gateway::to_str(r.value(field)) : py::Object();
  if (!value) return false;
  // By size: short strings are one object wherever they come from.
  const Py_ssize_t before = PyDict_GET_SIZE(env);
  if (!PyDict_SetDefault(env, key, value.get())) return false;
  return PyDict_GET_SIZE(env) > before || join_repeated(env, key, r, field);
}

// All values of that name at once, in order of arrival. The first repetition joins
// them; later ones find nothing to do.
bool EnvironBuilder::join_repeated(PyObject* env, PyObject* key, const http::Request& r,
                                   const http::Field& field) noexcept {
  const std::string_view name = r.name(field);
  std::string joined;
  std::size_t count = 0;
  for (const http::Field& other : r.fields) {
    if (!http::equals_ignoring_case(r.name(other), name)) continue;
    if (count++ > 0) joined += http::joint_of(field.id);
    joined += r.value(other);
    // Only the second field of a name does the work.
    if (count > 2 && &other == &field) return true;
  }
  const py::Object value = gateway::to_str(joined);
  return value && PyDict_SetItem(env, key, value.get()) == 0;
}

// A unix socket has no name of its own: the Host field's, else localhost (EN08).
bool EnvironBuilder::add_unix_server(PyObject* env, const http::Request& r,
                                     bool secure) noexcept {
  const http::Field* field = r.find(http::HeaderId::Host);
  const std::string_view authority = r.authority.size ? r.text(r.authority)
                                     : field          ? r.value(*field)
                                                      : "localhost";
  const auto [host, port] = http::split_authority(authority);
  const std::string_view usual = secure ? "443" : "80";
  return set_text(env, kServerName, host) &&
         set_text(env, kServerPort, port.empty() ? usual : port);
}

// Names with underscores that a proxy may send.
bool EnvironBuilder::add_forwarder_headers(PyObject* env,
                                           const server::Exchange& x) noexcept {
  const http::Request& r = x.request();
  const auto& allowed = options_.forwarder_headers;
  for (const http::Field& field : r.fields) {
    if (!http::has_trait(field.id, http::Trait::Ambiguous)) continue;
    std::string name(r.name(field));
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    if (std::ranges::find(allowed, name) == allowed.end()) continue;
    if (name == "SCRIPT_NAME") continue;  // add_root()
    const bool done = name == "PATH_INFO" ? set_decoded_path(env, x, r.value(field))
                                          : replace_field(env, name, r, field);
    if (!done) return false;
  }
  return true;
}

// What the proxy says itself takes the place of what a client sent by the same key.
bool EnvironBuilder::replace_field(PyObject* env, std::string name,
                                   const http::Request& r,
                                   const http::Field& field) noexcept {
  std::ranges::replace(name, '-', '_');
  const py::Object key = gateway::to_str("HTTP_" + name);
  if (!key) return false;
  const auto first = std::ranges::find_if(r.fields, [&](const http::Field& other) {
    return http::equals_ignoring_case(r.name(other), r.name(field));
  });
  if (&*first != &field) return join_repeated(env, key.get(), r, field);
  const py::Object value = gateway::to_str(r.value(field));
  return value && PyDict_SetItem(env, key.get(), value.get()) == 0;
}

bool EnvironBuilder::add_forwarded(PyObject* env, server::Exchange& x) noexcept {
  if (!add_forwarder_headers(env, x)) return false;
  const auto client = gateway::client_by_proxies(x, options_);
  if (!client) return true;
  if (!set_text(env, kRemoteAddr, client->ip_text())) return false;
  return PyDict_Contains(env, keys_[kRemotePort].get()) != 1 ||
         PyDict_DelItem(env, keys_[kRemotePort].get()) == 0;
}

// SCRIPT_NAME, and PATH_INFO without it (EN05), by what the application sees of it,
// where %2F is a slash. The slash behind the name begins PATH_INFO.
bool EnvironBuilder::add_root(PyObject* env, const server::Exchange& x) noexcept {
  const std::string_view root = gateway::root_path_of(x, options_);
  if (root.empty() && options_.mount.empty()) return true;
  if (!set_text(env, kScriptName, std::string(root) + options_.mount)) return false;
  decoded_.clear();
  http::percent_decode(x.request().path_text(), decoded_);
  return set_decoded_path(env, x, decoded_);
}

// One without escapes, which may begin with SCRIPT_NAME; a proxy may say it.
bool EnvironBuilder::set_decoded_path(PyObject* env, const server::Exchange& x,
                                      std::string_view path) noexcept {
  for (const std::string_view prefix :
       {gateway::root_path_of(x, options_), std::string_view(options_.mount)}) {
    const std::string_view rest = path.substr(std::min(prefix.size(), path.size()));
    const bool ends_there = rest.empty() || rest.front() == '/';
    if (path.starts_with(prefix) && ends_there) path = rest;
  }
  return set_text(env, kPathInfo, path);
}

// The body is here as a whole: its length is known, however it was framed (EN03).
bool EnvironBuilder::add_buffered_length(PyObject* env, server::Exchange& x) noexcept {
  if (x.request().body != http::BodyKind::Chunked) return true;
  if (x.body_state() != server::BodyState::Complete || !x.buffered()) return true;
  if (!set_text(env, kContentLength, std::to_string(x.body_size()))) return false;
  return PyDict_DelItem(env, keys_[kTransferEncoding].get()) == 0;
}

bool EnvironBuilder::set_path(PyObject* env, std::string_view path,
                              PyObject* same) noexcept {
  if (path.find('%') == std::string_view::npos) {
    return same ? set(env, kPathInfo, same) : set_text(env, kPathInfo, path);
  }
  decoded_.clear();
  http::percent_decode(path, decoded_);
  return set_text(env, kPathInfo, decoded_);
}

}  // namespace celadon::wsgi
