// While it lives no thread can be started, as where its user's limit is reached: the
// kernel has no room for the stack that each would get.
#pragma once

#include <pthread.h>

#include <cstddef>

namespace celadon {

class NoThreads {
 public:
  NoThreads() noexcept {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_getattr_default_np(&huge);
    pthread_attr_setstacksize(&huge, kMoreThanThereIs);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  static constexpr std::size_t kMoreThanThereIs = std::size_t{1} << 47;
  pthread_attr_t before_{};
};

}  // namespace celadon
