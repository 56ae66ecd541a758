// What all sessions of a worker share: options, what nghttp2 is told once, memory that
// is kept for the next stream, counts.
#pragma once

#include <memory>

#include "base/out_queue.h"
#include "h2/counters.h"
#include "h2/memory_budget.h"
#include "h2/options.h"
#include "http/limits.h"

struct nghttp2_session_callbacks;
struct nghttp2_option;

namespace celadon::h2 {

class Engine {
 public:
  // `limits` outlive it, and it outlives its sessions.
  Engine(const Options& options, const http::Limits& limits);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] const http::Limits& limits() const noexcept { return *limits_; }
  [[nodiscard]] const nghttp2_session_callbacks* callbacks() const noexcept {
    return callbacks_.get();
  }
  [[nodiscard]] const nghttp2_option* library_options() const noexcept {
    return library_options_.get();
  }
  [[nodiscard]] OutPool& pool() noexcept { return pool_; }
  [[nodiscard]] MemoryBudget& heads() noexcept { return heads_; }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }

 private:
  struct Delete {
    void operator()(nghttp2_session_callbacks* callbacks) const noexcept;
    void operator()(nghttp2_option* option) const noexcept;
  };

  const Options options_;
  const http::Limits* limits_;
  std::unique_ptr<nghttp2_session_callbacks, Delete> callbacks_;
  std::unique_ptr<nghttp2_option, Delete> library_options_;
  OutPool pool_;
  MemoryBudget heads_;
  Counters counters_;
};

}  // namespace celadon::h2
