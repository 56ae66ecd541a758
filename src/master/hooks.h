// What the master asks of the language its workers are written in.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>

#include "base/log.h"
#include "net/owned_fd.h"

namespace celadon::master {

class Hooks {
 public:
  virtual ~Hooks() = default;
  // As fork(2), with what the interpreter wants around it.
  virtual pid_t fork() noexcept = 0;
  // SIGHUP: reads the configuration again. The number of workers it asks for, or why it
  // is bad, and everything stays as it is.
  virtual std::expected<int, std::string> reload() noexcept = 0;
  // What was accepted so has failed: a worker did not boot, or none could be made. What
  // was there before the first reload that has not settled is there again.
  virtual void take_back() noexcept = 0;
  // SIGUSR1.
  virtual void reopen_logs() noexcept = 0;
  // What is logged from now on, in this process and those that it makes.
  virtual void set_log_level(Level least) noexcept = 0;
  // All that are wanted serve, none of them old: after the start, after a reload.
  virtual void settled() noexcept = 0;
  // The end has begun.
  virtual void stopping() noexcept = 0;
  // Now and again, as often as it was asked for, while no worker hangs.
  virtual void alive() noexcept = 0;
  // A worker was reaped.
  virtual void worker_gone(pid_t pid) noexcept = 0;
  // So many workers are wanted now.
  virtual void resized(int workers, int before) noexcept = 0;
  // All settings, as a JSON object.
  [[nodiscard]] virtual std::string describe_settings() noexcept = 0;
  // In a fork that was made for it: is the admin process, until end-of-file on
  // `master`.
  [[noreturn]] virtual void serve_admin(net::OwnedFd master) noexcept = 0;
};

}  // namespace celadon::master
