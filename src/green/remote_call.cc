#include "green/remote_call.h"

#include <memory>
#include <utility>

#include "green/waiter.h"
#include "py/error.h"

namespace celadon::green {
namespace {

class RemoteCall final : public Job {
 public:
  explicit RemoteCall(std::function<PyObject*()> call) noexcept
      : call_(std::move(call)) {}

  void run(Strand&) noexcept override {
    result_ = py::Object(call_());
    if (!result_) error_ = py::take_error();
    is_done_ = true;
    grant_first(waiting_);
  }
  [[nodiscard]] std::string describe() const override {
    return "what a native thread waits for";
  }

  // Whatever comes to this thread meanwhile: the call has a hold on what is in its
  // frames.
  [[nodiscard]] PyObject* wait() noexcept {
    py::Object came;
    while (!is_done_) {
      const Waited waited = wait_on(waiting_, kNever, ParkReason::Thread, true);
      if (waited == Waited::Interrupted) came = py::take_error();
    }
    if (came) {
      py::restore_error(std::move(came));
      return nullptr;
    }
    py::restore_error(std::move(error_));
    return result_.release();
  }

 private:
  std::function<PyObject*()> call_;
  WaitQueue waiting_;
  py::Object result_;
  py::Object error_;
  bool is_done_ = false;
};

}  // namespace

PyObject* call_in(Hub& hub, std::function<PyObject*()> call) noexcept {
  // On the heap: where another hub runs this, its stack may be put aside.
  const auto job = std::make_unique<RemoteCall>(std::move(call));
  hub.submit(*job);
  hub.loop().wake();
  return job->wait();
}

}  // namespace celadon::green
