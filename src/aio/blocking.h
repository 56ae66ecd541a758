// Calls that wait in a callback of an asyncio loop, where nobody awaits them: whether
// the loop minds. It is asked before such a wait begins, when who waits may be in line
// already: no code of Python's runs here, and the collector does not.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "py/ref.h"

namespace celadon::aio {

class Blocking {
 public:
  enum class How : std::uint8_t {
    Park,  // it waits, and others run
    Warn,  // likewise, and the log names its place, once
    Error  // it raises TaskBlocked
  };
  // False: it is none of their names.
  [[nodiscard]] static bool read(PyObject* name, How& how) noexcept;

  // `excused`: a tuple of code objects. What waits below one of them, as a thread that
  // is started does, nobody could await.
  void judge(How how, PyObject* excused) noexcept;
  // False with an exception: the call that is about to wait until `deadline` is not to.
  // One whose time is over only looks. `log`: or null.
  [[nodiscard]] bool admit(Nanos deadline, LogSink* log) noexcept {
    return how_ == How::Park || look(deadline, log);
  }

 private:
  [[nodiscard]] bool look(Nanos deadline, LogSink* log) noexcept;
  [[nodiscard]] bool find_place(std::string& place) const noexcept;
  void tell(LogSink& log, std::string place) noexcept;

  static constexpr std::size_t kMost = 1000;  // places that are told

  How how_ = How::Park;
  py::Object excused_;
  std::set<std::string> told_;
};

// Of the module of this room: celadon.TaskBlocked.
[[nodiscard]] int add_task_blocked(PyObject* module) noexcept;

}  // namespace celadon::aio
