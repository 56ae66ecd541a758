// The admin process, from the master's side: made, made anew, and missed.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "loop/signals_blocked.h"
#include "master/ending.h"
#include "master/master.h"

namespace celadon::master {
namespace {

constexpr Nanos kAdminPause = kSecond / 2;  // where it dies again and again

}  // namespace

void Master::renew_admin() noexcept {
  if (admin_pid_ == 0) return;
  admin_renewed_ = true;
  admin_.close();  // it ends by itself, once it has told what lies there
}

void Master::spawn_admin() noexcept {
  admin_at_ = kNever;
  admin_began_ = loop_->fresh_now();
  net::OwnedFd theirs = admin_.open();
  const loop::SignalsBlocked blocked;
  // It never returns to the interpreter, which therefore need not know.
  const pid_t pid = theirs ? ::fork() : -1;
  if (pid == 0) {
    let_go();
    for (net::ListenSocket& socket : listeners_) socket.abandon();
    for (net::ListenSocket& socket : retired_) socket.abandon();
    hooks_.serve_admin(std::move(theirs));
  }
  if (pid < 0) {
    complain(Level::Error, std::string("no admin process: ") + ::strerror(errno));
    admin_at_ = admin_began_ + kAdminPause;
    return;
  }
  admin_pid_ = pid;
}

void Master::on_admin_end(Exit how) noexcept {
  admin_pid_ = 0;
  admin_.close();
  reload_askers_.clear();  // it knows none of their questions
  if (roster_.stopping()) return;
  if (std::exchange(admin_renewed_, false)) {
    admin_at_ = loop_->fresh_now();
    return;
  }
  complain(Level::Error, "the admin process " + describe(how));
  const Nanos now = loop_->fresh_now();
  admin_at_ = now - admin_began_ > kSecond ? now : now + kAdminPause;
}

}  // namespace celadon::master
