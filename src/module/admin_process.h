// The admin process: health, status and control, without privileges and without Python.
#pragma once

#include <string>
#include <vector>

#include "admin/pages.h"
#include "base/clock.h"
#include "master/commons.h"
#include "net/listener.h"
#include "net/owned_fd.h"

namespace celadon::module {

struct AdminOptions {
  std::string token;
  std::string allowed;            // networks
  std::vector<std::string> open;  // pages
  bool control = false;           // deeds may be asked for by POST
  Nanos timeout = 30 * kSecond;   // of workers
  std::size_t queue_depth = 0;    // likewise
  std::string build;              // labels of celadon_build_info
  int uid = -1;                   // whom it runs as; -1: no change
  int gid = -1;
};

struct AdminSockets {
  std::vector<net::ListenSocket> pages;
  std::vector<net::ListenSocket> control;  // one at the most

  // In a fork that is not the admin process.
  void abandon() noexcept {
    for (net::ListenSocket& socket : pages) socket.abandon();
    for (net::ListenSocket& socket : control) socket.abandon();
  }
};

// In a fork of the master: serves until the master is gone.
[[noreturn]] void serve_admin(master::Commons& commons, AdminSockets sockets,
                              net::OwnedFd master,
                              const AdminOptions& options) noexcept;

}  // namespace celadon::module
