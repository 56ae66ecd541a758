#include "loop/thread.h"

#include <memory>

#include "base/assert.h"
#include "loop/signals_blocked.h"

namespace celadon::loop {
namespace {

void* run(void* work) noexcept {
  const std::unique_ptr<Thread::Work> owned(static_cast<Thread::Work*>(work));
  (*owned)();
  return nullptr;
}

}  // namespace

Thread::~Thread() {
  CHECK(!started_, "a thread outlives its owner");
}

std::expected<void, Error> Thread::start(Work work) noexcept {
  CHECK(!started_, "a thread is started twice");
  auto owned = std::make_unique<Work>(std::move(work));
  const SignalsBlocked blocked;
  const int failure = ::pthread_create(&id_, nullptr, run, owned.get());
  if (failure == EAGAIN) return std::unexpected(Error::NoThreads);
  if (failure != 0) return std::unexpected(error_from_errno(failure));
  [[maybe_unused]] const auto* theirs = owned.release();
  started_ = true;
  return {};
}

void Thread::join() noexcept {
  if (!std::exchange(started_, false)) return;
  ::pthread_join(id_, nullptr);
}

}  // namespace celadon::loop
