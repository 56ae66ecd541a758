// What the master asks of the language its workers are written in.
#pragma once

#include <sys/types.h>

namespace celadon::master {

class Hooks {
 public:
  virtual ~Hooks() = default;
  // As fork(2), with what the interpreter wants around it.
  virtual pid_t fork() noexcept = 0;
  // SIGHUP: reads the configuration again. The number of workers it asks for, or -1: it
  // is bad, and everything stays as it is.
  virtual int reload() noexcept = 0;
  // SIGUSR1.
  virtual void reopen_logs() noexcept = 0;
  // A worker was reaped.
  virtual void worker_gone(pid_t pid) noexcept = 0;
  // So many workers are wanted now.
  virtual void resized(int workers, int before) noexcept = 0;
};

}  // namespace celadon::master
