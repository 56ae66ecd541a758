// What it costs two processes together to hand a connection over: everything that both
// ends ask of the kernel.
#include <benchmark/benchmark.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/commons.h"
#include "metrics/balance.h"

namespace celadon {
namespace {

void hand_over(benchmark::State& state) {
  auto commons = std::move(*master::Commons::make(12));
  for (std::size_t slot = 0; slot < 4; ++slot) {
    commons.slab().lease(slot, 0);
    commons.slot(slot).state.store(metrics::SlotState::Ready);
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return;
  const int poller = ::epoll_create1(EPOLL_CLOEXEC);
  net::Mailbox::Note note{};
  epoll_event interest{.events = EPOLLIN, .data = {}};
  for ([[maybe_unused]] auto each : state) {
    const int fd = ::dup(ends[0]);
    ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &interest);
    benchmark::DoNotOptimize(commons.pass(fd, note, 0, 0));
    ::epoll_ctl(poller, EPOLL_CTL_DEL, fd, &interest);
    ::close(fd);
    for (std::size_t slot = 1; slot < 4; ++slot) {
      if (commons.slot(slot).coming.load() == 0) continue;
      commons.slot(slot).coming.fetch_sub(1);
      auto taken = commons.mailbox(slot).take(note);
      ::epoll_ctl(poller, EPOLL_CTL_ADD, taken->get(), &interest);
    }
  }
  ::close(poller);
  ::close(ends[0]);
  ::close(ends[1]);
}
BENCHMARK(hand_over);

}  // namespace
}  // namespace celadon
