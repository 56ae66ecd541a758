// Fields that an application gives beside its answer: those of early hints, and of a
// 101.
#pragma once

#include <vector>

#include "http/response.h"
#include "py/ref.h"

namespace celadon::wsgi {

class Bridge;

// One field as an application writes it, a tuple of two str; `view` lives as long as
// they do. False with an exception.
[[nodiscard]] bool check_field(PyObject* item, http::HeaderView& view,
                               http::HeaderId& id) noexcept;

// What an iterable of them holds, or a dict: of None nothing. It may run any code. Null
// with an exception.
[[nodiscard]] py::Object fields_of(PyObject* headers) noexcept;

// Of the whole answer nothing is said by them: no length, no end of the connection.
class OwnFields {
 public:
  // `items` is a list or a tuple, which outlives this unchanged. What is not the
  // application's to say is left out. False with an exception.
  [[nodiscard]] bool read(PyObject* items, Bridge& bridge) noexcept;
  [[nodiscard]] const std::vector<http::HeaderView>& views() const noexcept {
    return views_;
  }
  // As the protocol needs them: views into this.
  [[nodiscard]] http::ResponseHead head() const noexcept;

 private:
  std::vector<http::HeaderView> views_;
  http::AnswerFields says_;
};

}  // namespace celadon::wsgi
