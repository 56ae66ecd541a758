#include "asgi/answer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "asgi/bridge.h"
#include "asgi/message.h"
#include "asgi/port.h"
#include "asgi/request.h"
#include "gateway/bytes.h"
#include "gateway/cold_file.h"
#include "gateway/exceptions.h"
#include "py/brief.h"

namespace celadon::asgi {
namespace {

constexpr std::size_t kFileBlock = std::size_t{1} << 20;
// While others run, whom its body may come from.
constexpr Nanos kLongestHold = 2 * kMillisecond;

Outcome fail_gone() noexcept {
  gateway::raise_gone();
  return Outcome::Failed;
}

// Its body as bytes. Null with an exception.
py::Object body_of(Message& message) noexcept {
  PyObject* body = message.find(Name::Body);
  if (!body)
    return py::Object(PyErr_Occurred() ? nullptr
                                       : PyBytes_FromStringAndSize(nullptr, 0));
  return as_bytes(body, "the body must be bytes, not %U");
}

}  // namespace

void Answer::clear() noexcept {
  unlink();
  head_.clear();
  file_ = {};
  stage_ = Stage::Start;
  has_trailers_ = is_full_ = false;
}

server::Exchange& Answer::exchange() noexcept {
  return *request_.open_exchange();
}

// What the application gave has run code of its own, and that may have waited.
bool Answer::is_open(const PortObject& port) const noexcept {
  return port.request && request_.open_exchange();
}

// Whether a message is where it may be after it was read.
bool Answer::still(Stage stage, PyObject* message,
                   const PortObject& port) const noexcept {
  return is_open(port) ? expect(stage, message) : gateway::raise_gone();
}

// A message at a place where it may not be.
bool Answer::expect(Stage stage, PyObject* message) const noexcept {
  const Socket* socket = request_.socket();
  if (socket && socket->accepted()) {  // while the message was read
    py::raise_about(PyExc_RuntimeError, "the WebSocket was accepted already: %U",
                    message);
    return false;
  }
  if (stage_ == stage) return true;
  constexpr const char* kStates[]{"before http.response.start: %U",
                                  "between http.response.start and its body: %U",
                                  "behind http.response.start: %U",
                                  "while the body of the answer is not complete: %U",
                                  "while the file of the answer is on its way: %U",
                                  "where http.response.trailers are due: %U",
                                  "behind the end of the answer: %U"};
  py::raise_about(PyExc_RuntimeError, kStates[static_cast<std::size_t>(stage_)],
                  message);
  return false;
}

// Where a body may come, or more of it.
bool Answer::expect_body(PyObject* message) const noexcept {
  return stage_ == Stage::Ahead || stage_ == Stage::Body ||
         expect(Stage::Head, message);
}

Outcome Answer::take(PyObject* dict, const Sender& sender) noexcept {
  Message message(dict);
  std::string_view type = message.type();
  if (type.empty()) return Outcome::Failed;
  if (!sender.port.request) return fail_gone();
  // Of a WebSocket that is refused by an answer of the application's own.
  if (request_.socket() && type.starts_with("websocket.http.")) type.remove_prefix(10);
  if (!request_.open_exchange()) {
    if (request_.client_left()) return fail_gone();
    py::raise_about(PyExc_RuntimeError, "behind the end of the answer: %U", dict);
    return Outcome::Failed;
  }
  if (exchange().gone() || request_.is_cut_off()) return fail_gone();
  if (!sender.is_next) return Outcome::Wait;
  const PortObject& port = sender.port;
  if (type == "http.response.body") return body(dict, sender);
  if (type == "http.response.start") return start(dict, port);
  if (type == "http.response.trailers") return trailers(dict, port);
  if (type == "http.response.early_hint") return hint(dict, port);
  if (type == "http.response.pathsend") return path(dict, port);
  py::raise_about(PyExc_ValueError, "a message of a type that nobody knows: %U", dict);
  return Outcome::Failed;
}

// A file that was taken before has room now, or will never have any.
Outcome Answer::go_on(const PortObject& port) noexcept {
  if (!request_.open_exchange()) {
    return request_.client_left() ? fail_gone() : Outcome::Done;
  }
  if (exchange().gone()) return fail_gone();
  return file_.descriptor.get() >= 0 ? send_file(port) : Outcome::Done;
}

Outcome Answer::start(PyObject* dict, const PortObject& port) noexcept {
  Message message(dict);
  if (!expect(Stage::Start, dict)) return Outcome::Failed;
  const py::Object status = py::Object::copy(message.need(Name::Status));
  if (message.type().empty() || !status) return Outcome::Failed;
  PyObject* headers = message.find(Name::Headers);
  if (!headers && PyErr_Occurred()) return Outcome::Failed;
  const py::Object items = headers ? items_of(headers) : py::Object(PyTuple_New(0));
  bool has_trailers = false;
  if (!items || !message.flag(Name::Trailers, has_trailers) ||
      !still(Stage::Start, dict, port))
    return Outcome::Failed;
  head_.clear();
  if (!head_.set_status(status.get()) ||
      !head_.set_items(items.get(), request_.bridge(),
                       has_trailers && !exchange().carrier.is_http10()))
    return Outcome::Failed;
  has_trailers_ = has_trailers;
  stage_ = Stage::Head;
  held_since_ = request_.hub().loop().now();
  request_.bridge().hold(*this);
  return Outcome::Done;
}

// The rest of it does not come now.
void Answer::leave_ahead() noexcept {
  green::Hub& hub = request_.hub();
  const bool is_held = stage_ == Stage::Head && request_.open_exchange() &&
                       !exchange().gone() && !request_.is_cut_off();
  if (is_held && hub.has_ready() && hub.loop().now() < held_since_ + kLongestHold)
    return;
  unlink();
  if (!is_held) return;
  stage_ = Stage::Ahead;
  const server::Sent sent =
      exchange().send_head(head_.view(), {}, {}, server::Part::More, net::Leave::Now);
  request_.head_is_out();
  head_.clear_in(hub);
  is_full_ = sent == server::Sent::Full;
}

Outcome Answer::body(PyObject* dict, const Sender& sender) noexcept {
  if (!expect_body(dict)) return Outcome::Failed;
  Message message(dict);
  bool more = false;
  const py::Object bytes = message.type().empty() ? py::Object() : body_of(message);
  if (!bytes || !message.flag(Name::MoreBody, more)) return Outcome::Failed;
  if (!is_open(sender.port)) return fail_gone();
  if (!expect_body(dict)) return Outcome::Failed;
  if (stage_ == Stage::Head && !more && !has_trailers_) return whole(bytes.get());
  if (is_full_ && PyBytes_GET_SIZE(bytes.get()) > 0) return Outcome::Wait;
  if (more && !sender.had_turn && request_.has_had_its_share()) return Outcome::Turn;
  return piece(bytes.get(), more);
}

// Head and body in one write.
Outcome Answer::whole(PyObject* bytes) noexcept {
  server::Exchange& x = exchange();
  http::ResponseHead head = head_.view();
  const std::string_view data = gateway::view_bytes(bytes);
  // Of a 304, and of a HEAD without a body, the length would be that of another answer.
  const bool says_nothing = head.status == 304 || (x.is_head() && data.empty());
  if (!head.content_length && !says_nothing) head.content_length = data.size();
  stage_ = Stage::Whole;
  unlink();
  const server::Sent sent =
      x.send_whole(head, data, gateway::own_bytes(bytes), request_.bridge().leave());
  head_.clear();  // it is out
  if (sent == server::Sent::Gone) return fail_gone();
  request_.let_go();
  return Outcome::Done;
}

Outcome Answer::piece(PyObject* bytes, bool more) noexcept {
  server::Exchange& x = exchange();
  const std::string_view data = gateway::view_bytes(bytes);
  const net::Leave leave = request_.bridge().leave();
  server::Sent sent = server::Sent::Ok;
  if (std::exchange(stage_, Stage::Body) == Stage::Head) {
    unlink();
    sent = x.send_head(head_.view(), data, gateway::own_bytes(bytes),
                       server::Part::More, leave);
    request_.head_is_out();
  } else if (!data.empty()) {
    sent = x.send_data(data, gateway::own_bytes(bytes), leave);
  }
  head_.clear();  // it is out
  if (sent == server::Sent::Gone) return fail_gone();
  if (sent == server::Sent::Full) is_full_ = true;
  if (more) return Outcome::Done;
  if (!has_trailers_) return finish();
  stage_ = Stage::Trailers;
  return Outcome::Done;
}

Outcome Answer::finish() noexcept {
  stage_ = Stage::Whole;
  exchange().finish();
  request_.let_go();
  return Outcome::Done;
}

Outcome Answer::trailers(PyObject* dict, const PortObject& port) noexcept {
  if (!expect(Stage::Trailers, dict)) return Outcome::Failed;
  Message message(dict);
  bool more = false;
  PyObject* headers = message.type().empty() ? nullptr : message.need(Name::Headers);
  const py::Object items = headers ? items_of(headers) : py::Object();
  if (!items || !message.flag(Name::MoreTrailers, more) ||
      !still(Stage::Trailers, dict, port) || !head_.add_trailers(items.get()))
    return Outcome::Failed;
  if (more) return Outcome::Done;
  stage_ = Stage::Whole;
  exchange().finish(head_.fields());
  head_.clear();
  request_.let_go();
  return Outcome::Done;
}

Outcome Answer::hint(PyObject* dict, const PortObject& port) noexcept {
  if (stage_ != Stage::Head && !expect(Stage::Start, dict)) return Outcome::Failed;
  Message message(dict);
  PyObject* links = message.type().empty() ? nullptr : message.need(Name::Links);
  Head hints;
  if (!links || !hints.set_links(links)) return Outcome::Failed;
  if (!is_open(port)) return fail_gone();
  exchange().send_interim(103, hints.fields());
  return Outcome::Done;
}

// --- files ---

Outcome Answer::path(PyObject* dict, const PortObject& port) noexcept {
  if (stage_ != Stage::Ahead && !expect(Stage::Head, dict)) return Outcome::Failed;
  Message message(dict);
  // Its own __fspath__ may take it out of the message.
  const py::Object name =
      py::Object::copy(message.type().empty() ? nullptr : message.need(Name::Path));
  if (!name) return Outcome::Failed;
  PyObject* encoded = nullptr;
  if (!PyUnicode_FSConverter(name.get(), static_cast<void*>(&encoded)))
    return Outcome::Failed;
  const py::Object bytes(encoded);
  const auto failed = [&name] {
    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name.get());
    return Outcome::Failed;
  };
  if (!is_open(port)) return fail_gone();
  if (stage_ != Stage::Ahead && !expect(Stage::Head, dict)) return Outcome::Failed;
  // To open a FIFO would wait for who writes to it.
  net::OwnedFd file(
      ::open(PyBytes_AS_STRING(encoded), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found{};
  if (file.get() < 0 || ::fstat(file.get(), &found) < 0) return failed();
  if (!S_ISREG(found.st_mode)) {
    errno = S_ISDIR(found.st_mode) ? EISDIR : EINVAL;
    return failed();
  }
  if (stage_ == Stage::Ahead) {
    if (exchange().body_allowed() && !exchange().remaining()) {
      PyErr_SetString(
          PyExc_RuntimeError,
          "http.response.pathsend needs a content-length where the head has "
          "left ahead of it");
      return Outcome::Failed;
    }
  } else if (!send_head_of(static_cast<std::uint64_t>(found.st_size))) {
    return fail_gone();
  }
  stage_ = Stage::File;
  has_trailers_ = false;
  file_ = {std::move(file), 0, 0};
  return Outcome::Begun;
}

// It leaves in the file's first segment. False: the client has gone.
bool Answer::send_head_of(std::uint64_t size) noexcept {
  unlink();
  http::ResponseHead head = head_.view();
  if (!head.content_length && head.status != 304) head.content_length = size;
  const server::Sent sent =
      exchange().send_head(head, {}, {}, server::Part::More, net::Leave::WithNext);
  if (sent == server::Sent::Gone) return false;
  request_.head_is_out();
  head_.clear();
  return true;
}

// Has a part of the file in memory, of `count` bytes at most. False with an exception,
// or without one where the request has ended meanwhile.
bool Answer::warm_up(std::size_t& count, const PortObject& port) noexcept {
  if (file_.offset < file_.warm) {
    count = std::min(count, static_cast<std::size_t>(file_.warm - file_.offset));
    return true;
  }
  // It stays open while this is parked, whatever happens to the request.
  File file = std::exchange(file_, {});
  std::size_t got = gateway::bytes_in_memory(file.descriptor.get(), file.offset, count);
  bool is_read = true;
  if (got == 0) {
    is_read = gateway::warm_up(file.descriptor.get(), file.offset, count);
    got = count;
  }
  if (!is_open(port)) return false;
  file_ = std::move(file);
  file_.warm = file_.offset + static_cast<off_t>(got);
  count = got;
  return is_read;
}

Outcome Answer::send_file(const PortObject& port) noexcept {
  for (;;) {
    const server::Exchange& x = exchange();
    if (x.gone()) return fail_gone();
    std::size_t count = std::min<std::uint64_t>(x.remaining().value_or(0), kFileBlock);
    if (!x.body_allowed() || count == 0) break;
    if (!warm_up(count, port)) {
      if (PyErr_Occurred()) return Outcome::Failed;
      return port.left ? fail_gone() : Outcome::Done;
    }
    if (exchange().gone()) return fail_gone();
    const off_t before = file_.offset;
    switch (exchange().send_file(file_.descriptor.get(), file_.offset, count)) {
      case server::Sent::Gone: return fail_gone();
      case server::Sent::Full: return Outcome::Wait;
      case server::Sent::NoFile:
        PyErr_SetFromErrno(PyExc_OSError);
        return Outcome::Failed;
      case server::Sent::Ok: break;
    }
    if (file_.offset == before) {
      PyErr_SetString(PyExc_OSError, "the file is shorter than the answer announced");
      return Outcome::Failed;
    }
    if (request_.has_had_its_share()) return Outcome::Turn;
  }
  file_ = {};
  return finish();
}

}  // namespace celadon::asgi
