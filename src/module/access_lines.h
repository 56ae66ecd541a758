// Lines of the access log that handlers of Python's logging take.
#pragma once

#include "module/log_queue.h"
#include "server/access_log.h"

namespace celadon::module {

class AccessLines final : public server::AccessSink {
 public:
  AccessLines(green::Hub& hub, py::Object write) noexcept
      : queue_(hub, std::move(write)) {}
  void take_line(std::string_view line) noexcept override {
    queue_.log(Level::Info, line);
  }
  void drain() noexcept { queue_.drain(); }

 private:
  LogQueue queue_;
};

}  // namespace celadon::module
