// From what an application returns, or writes, to the answer of its request.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gateway/bytes.h"
#include "gateway/cold_file.h"
#include "gateway/exceptions.h"
#include "py/brief.h"
#include "wsgi/bridge.h"
#include "wsgi/file_wrapper.h"
#include "wsgi/request.h"

namespace celadon::wsgi {
namespace {

constexpr Nanos kShare = 5 * kMillisecond;  // a stream yields to others after that long
constexpr std::size_t kFileBlock = std::size_t{1} << 20;

// A second one of the same open file.
class Descriptor {
 public:
  explicit Descriptor(int of) noexcept : number_(::fcntl(of, F_DUPFD_CLOEXEC, 0)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

}  // namespace

bool Request::require_started() noexcept {
  if (kit_.responder->started || exchange_->head_sent()) return true;
  PyErr_SetString(PyExc_AssertionError,
                  "the application did not call start_response before its first byte");
  return false;
}

bool Request::complete() const noexcept {
  if (offered_.accepted()) return true;
  return exchange_->head_sent() &&
         (!exchange_->body_allowed() || exchange_->remaining().value_or(1) == 0);
}

// The file's bytes go as they are: not between others that write() has sent without a
// length.
bool Request::takes_a_file() const noexcept {
  return !exchange_->head_sent() || !exchange_->body_allowed() ||
         exchange_->remaining().has_value();
}

bool Request::answer(PyObject* result) noexcept {
  if (offered_.accepted()) return true;  // nothing of it is sent
  if (PyList_CheckExact(result) && PyList_GET_SIZE(result) == 1) {
    PyObject* only = PyList_GET_ITEM(result, 0);
    if (PyBytes_CheckExact(only)) return answer_single(only);
  } else if (PyTuple_CheckExact(result) && PyTuple_GET_SIZE(result) == 1) {
    PyObject* only = PyTuple_GET_ITEM(result, 0);
    if (PyBytes_CheckExact(only)) return answer_single(only);
  } else if (is_file_wrapper(result) && takes_a_file()) {
    const FileRange range = file_range(result);
    if (range.fd >= 0) return answer_file(result, range);
  }
  return answer_iterable(result);
}

// The whole answer in one write. write() may have been called before.
bool Request::answer_single(PyObject* bytes) noexcept {
  if (!require_started()) return false;
  if (exchange_->head_sent()) {
    if (PyBytes_GET_SIZE(bytes) > 0 && !complete() && !send(bytes, bridge_.leave()))
      return false;
    exchange_->finish();
    return true;
  }
  http::ResponseHead head = view_head(kit_.responder->head);
  const std::string_view data = gateway::view_bytes(bytes);
  // Of a 304 the length would be that of the answer it stands for.
  if (!head.content_length && head.status != 304) head.content_length = data.size();
  const auto sent =
      exchange_->send_whole(head, data, gateway::own_bytes(bytes), bridge_.leave());
  return sent == server::Sent::Gone ? gateway::raise_gone() : true;
}

bool Request::answer_empty() noexcept {
  if (offered_.accepted()) return true;
  if (!exchange_->head_sent()) {
    if (!require_started()) return false;
    http::ResponseHead head = view_head(kit_.responder->head);
    const bool says_nothing = exchange_->is_head() || head.status == 304;
    if (!head.content_length && !says_nothing) head.content_length = 0;
    if (exchange_->send_head(head, {}, {}, server::Part::Last, bridge_.leave()) ==
        server::Sent::Gone)
      return gateway::raise_gone();
  }
  exchange_->finish();
  return true;
}

bool Request::answer_iterable(PyObject* result) noexcept {
  const py::Object iterator(PyObject_GetIter(result));
  if (!iterator) return false;
  while (!complete()) {
    const py::Object item(PyIter_Next(iterator.get()));
    if (bridge_.hub().forked_child()) green::Hub::end_child();
    if (!item) {
      if (PyErr_Occurred()) return false;
      break;
    }
    if (!answer_item(item.get())) return false;
  }
  return answer_empty();
}

bool Request::answer_item(PyObject* item) noexcept {
  if (!PyBytes_Check(item)) {
    py::raise_about(PyExc_TypeError, "the application must yield bytes, not %U", item);
    return false;
  }
  if (PyBytes_GET_SIZE(item) == 0) return share_time();
  const bool is_first = !exchange_->head_sent();
  return require_started() && send(item, bridge_.leave()) && (is_first || share_time());
}

// request_timeout ends here; from now on write_timeout watches (http.md §3).
void Request::head_is_out() noexcept {
  strand_->set_deadline(kNever);
}

bool Request::send(PyObject* bytes, net::Leave leave) noexcept {
  if (!require_started()) return false;
  if (exchange_->gone()) return gateway::raise_gone();
  if (offered_.accepted()) return true;
  const std::string_view data = gateway::view_bytes(bytes);
  server::Sent sent = server::Sent::Ok;
  if (!exchange_->head_sent()) {
    const http::ResponseHead head = view_head(kit_.responder->head);
    sent = exchange_->send_head(head, data, gateway::own_bytes(bytes),
                                server::Part::More, leave);
    head_is_out();
  } else {
    sent = exchange_->send_data(data, gateway::own_bytes(bytes), leave);
  }
  if (sent == server::Sent::Gone) return gateway::raise_gone();
  return sent == server::Sent::Ok || wait_writable();
}

// A stream whose reader is fast never has to wait.
bool Request::share_time() noexcept {
  if (!has_had_its_share()) return true;
  return bridge_.hub().yield_now(*green::current_strand()) !=
         green::Waited::Interrupted;
}

bool Request::has_had_its_share() const noexcept {
  green::Hub& hub = bridge_.hub();
  return hub.loop().clock().now() - hub.slice_started() >= kShare && green::can_park();
}

// It leaves in the file's first segment.
bool Request::send_file_head(std::uint64_t size) noexcept {
  if (exchange_->head_sent()) return true;
  http::ResponseHead head = view_head(kit_.responder->head);
  if (!head.content_length && head.status != 304) head.content_length = size;
  if (exchange_->send_head(head, {}, {}, server::Part::More, net::Leave::WithNext) ==
      server::Sent::Gone)
    return gateway::raise_gone();
  head_is_out();
  return true;
}

bool Request::answer_file(PyObject* wrapper, const FileRange& range) noexcept {
  if (!require_started()) return false;
  // Who closes it while this is parked may open another one with its number.
  const Descriptor own(range.fd);
  const int file = own.number();
  if (file < 0) return answer_iterable(wrapper);
  if (!send_file_head(range.size)) return false;
  off_t offset = range.offset;
  server::Exchange& x = *exchange_;
  off_t warm = offset;  // so far it is in memory
  while (!complete()) {
    const std::uint64_t left = x.remaining().value_or(range.size);
    std::size_t count = std::min<std::uint64_t>(left, kFileBlock);
    if (count == 0) break;
    if (offset >= warm) {
      std::size_t found = gateway::bytes_in_memory(file, offset, count);
      if (found == 0) {
        if (!gateway::warm_up(file, offset, count)) return false;
        found = count;
      }
      warm = offset + static_cast<off_t>(found);
    }
    count = std::min(count, static_cast<std::size_t>(warm - offset));
    const off_t before = offset;
    switch (x.send_file(file, offset, count)) {
      case server::Sent::Gone: return gateway::raise_gone();
      case server::Sent::Full:
        if (!wait_writable()) return false;
        break;
      case server::Sent::Ok:
        if (offset == before) {
          PyErr_SetString(PyExc_OSError,
                          "the file is shorter than the answer announced");
          return false;
        }
        if (!share_time()) return false;
        break;
      case server::Sent::NoFile:
        // A file system may lack it.
        if (errno == EINVAL && offset == range.offset) return answer_iterable(wrapper);
        PyErr_SetFromErrno(PyExc_OSError);
        return false;
    }
  }
  x.finish();
  return true;
}

}  // namespace celadon::wsgi
