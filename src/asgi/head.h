// The head of an answer as an application gave it: checked, and kept by reference to
// its bytes.
#pragma once

#include <vector>

#include "http/response.h"
#include "py/ref.h"

namespace celadon::gateway {
class Bridge;
}
namespace celadon::green {
class Hub;
}

namespace celadon::asgi {

// The pairs of an iterable, as a list or a tuple: the application's code runs here, and
// may wait. Null with an exception.
[[nodiscard]] py::Object items_of(PyObject* headers) noexcept;

class Head {
 public:
  Head() noexcept = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  ~Head() { clear(); }

  // False with an exception. `status`: an int; `headers`: an iterable of [name, value].
  [[nodiscard]] bool set_status(PyObject* status) noexcept;
  [[nodiscard]] bool set_fields(PyObject* headers, gateway::Bridge& bridge) noexcept;
  // Likewise, of what items_of() gave: no code of the application's runs.
  // `has_trailers`: fields follow the body where its length is not said.
  [[nodiscard]] bool set_items(PyObject* items, gateway::Bridge& bridge,
                               bool has_trailers) noexcept;
  // Each of them the value of a Link field.
  [[nodiscard]] bool set_links(PyObject* links) noexcept;
  // More fields behind the body, of a head that is out and was cleared: all of them, or
  // none. Likewise.
  [[nodiscard]] bool add_trailers(PyObject* items) noexcept;
  void clear() noexcept;
  // Likewise, of the hub, which runs no code of the application's.
  void clear_in(green::Hub& hub) noexcept;
  // As the protocol needs it: views into this.
  [[nodiscard]] http::ResponseHead view() const noexcept;
  [[nodiscard]] std::span<const http::HeaderView> fields() const noexcept {
    return fields_;
  }

 private:
  [[nodiscard]] bool add(PyObject* item, http::AnswerRules& rules,
                         gateway::Bridge& bridge) noexcept;
  void keep(PyObject* object) { kept_.push_back(py::new_ref(object)); }

  int status_ = 0;
  http::AnswerFields says_;
  std::vector<http::HeaderView> fields_;
  std::vector<PyObject*> kept_;  // whose bytes they are: owned
};

}  // namespace celadon::asgi
