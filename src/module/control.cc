#include "module/control.h"

#include <sys/socket.h>

#include <cerrno>

namespace celadon::module {

bool Control::start() noexcept {
  return say(kReady) && loop_.watch(fd_.get(), loop::kRead, *this).has_value();
}

bool Control::say(char word) const noexcept {
  return ::send(fd_.get(), &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

void Control::close() noexcept {
  if (!fd_) return;
  loop_.poller().remove(fd_.get(), *this);
  fd_.close();
}

void Control::on_io(std::uint8_t) noexcept {
  char byte = 0;
  const ssize_t n = ::recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
  if (n > 0) {
    if (byte == kStop || byte == kStopAtOnce)
      listener_.on_told_to_stop(byte == kStopAtOnce);
    return;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  close();
  listener_.on_master_gone();
}

}  // namespace celadon::module
