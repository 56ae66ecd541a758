#include "aio/watch.h"

#include <algorithm>
#include <utility>

namespace celadon::aio {
namespace {

// Run by the hub's thread after what its poll had found.
class Drop final : public loop::Task {
 public:
  explicit Drop(std::unique_ptr<Watch> watch) noexcept : watch_(std::move(watch)) {}
  void run() noexcept override {}

 private:
  std::unique_ptr<Watch> watch_;
};

}  // namespace

bool is_alive(const green::Hub& hub) noexcept {
  return std::ranges::find(green::Hub::all(), &hub) != green::Hub::all().end();
}

bool Watch::arm() noexcept {
  if (armed_) return true;
  armed_ = hub_.loop().poller().modify(fd_, loop::kRead, *this).has_value();
  return armed_;
}

void Watch::on_io(std::uint8_t) noexcept {
  if (!owner_ || owner_->on_readable()) return;
  // Where that fails it tells of it once more.
  armed_ = !hub_.loop().poller().modify(fd_, 0, *this).has_value();
}

void Watch::end(std::unique_ptr<Watch> watch) noexcept {
  watch->owner_ = nullptr;
  green::Hub& hub = watch->hub_;
  if (!is_alive(hub)) return;
  if (&hub == green::Hub::here()) {
    hub.loop().poller().remove(watch->fd_, *watch);
    return;
  }
  // That thread may be about to dispatch to it.
  hub.loop().poller().drop(watch->fd_);
  hub.loop().post(std::make_unique<Drop>(std::move(watch)));
}

}  // namespace celadon::aio
