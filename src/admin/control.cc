#include "admin/control.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "admin/json.h"
#include "net/owned_fd.h"

namespace celadon::admin {
namespace {

bool belongs_to(int fd, uid_t owner) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == owner || peer.uid == 0);
}

}  // namespace

// One client: asks once, is answered, leaves.
class Control::Conversation final : public loop::Disposable,
                                    private loop::IoHandler,
                                    private loop::Timer {
 public:
  Conversation(Control& control, net::OwnedFd fd, std::uint64_t number) noexcept
      : control_(control), fd_(std::move(fd)), number_(number) {}
  ~Conversation() override { leave(); }

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] bool start() noexcept {
    control_.loop_.arm(*this, control_.loop_.now() + kPatience);
    watched_ = control_.loop_.watch(fd_.get(), loop::kRead, *this).has_value();
    return watched_;
  }
  void answer(std::string_view json) noexcept {
    out_ = std::to_string(json.size()) + "\n" + std::string(json);
    send_rest();
  }

 private:
  void on_io(std::uint8_t ready) noexcept override {
    if (!out_.empty()) return send_rest();
    if ((ready & (loop::kRead | loop::kHangup)) != 0) read_line();
  }
  void on_timer() noexcept override { control_.forget(*this); }

  void read_line() noexcept {
    char part[kLine];
    const ssize_t n = ::recv(fd_.get(), part, sizeof part, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0 || in_.size() + static_cast<std::size_t>(n) > kLine)
      return control_.forget(*this);
    if (asked_) return;
    in_.append(part, static_cast<std::size_t>(n));
    const std::size_t end = in_.find('\n');
    if (end == in_.npos) return;
    asked_ = true;
    const bool is_long = std::string_view(in_).substr(0, end) == "reload";
    if (is_long) Timer::cancel();  // each worker may take its startup_timeout
    const std::string json =
        control_.answer(number_, std::string_view(in_).substr(0, end));
    if (!json.empty()) answer(json);
  }

  void send_rest() noexcept {
    const ssize_t n = ::send(fd_.get(), out_.data() + at_, out_.size() - at_,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) return send_rest();
    if (n < 0 && errno != EAGAIN) return control_.forget(*this);
    if (n > 0) at_ += static_cast<std::size_t>(n);
    if (at_ == out_.size()) return control_.forget(*this);
    if (!control_.loop_.poller().modify(fd_.get(), loop::kWrite, *this))
      control_.forget(*this);
  }

  void leave() noexcept {
    if (!fd_) return;
    if (watched_) control_.loop_.poller().remove(fd_.get(), *this);
    fd_.close();
  }

  Control& control_;
  net::OwnedFd fd_;
  const std::uint64_t number_;
  std::string in_;
  std::string out_;
  std::size_t at_ = 0;
  bool watched_ = false;
  bool asked_ = false;
};

Control::Control(loop::Loop& loop, const Site& site, const Scraper& scraper,
                 Actions& actions, uid_t owner) noexcept
    : loop_(loop), site_(site), scraper_(scraper), actions_(actions), owner_(owner) {}

Control::~Control() = default;

bool Control::listen(net::ListenSocket socket) noexcept {
  listener_ = std::make_unique<net::Listener>(loop_, std::move(socket),
                                              static_cast<net::Acceptor&>(*this));
  return listener_->start().has_value();
}

net::Acceptor::Next Control::on_accept(int fd, const net::Address&,
                                       net::Listener&) noexcept {
  net::OwnedFd owned(fd);
  if (conversations_.size() >= kMost || !belongs_to(fd, owner_)) return Next::More;
  auto conversation =
      std::make_unique<Conversation>(*this, std::move(owned), next_number_++);
  if (conversation->start()) conversations_.push_back(std::move(conversation));
  return Next::More;
}

std::string Control::answer(std::uint64_t number, std::string_view words) noexcept {
  if (words == "status") return site_.status();
  if (words == "workers") return site_.workers();
  if (words == "health") return site_.health();
  if (words == "stats") return scraper_.snapshot();
  actions_.ask(number, words);
  return {};
}

void Control::reply(std::uint64_t number, std::string_view json) noexcept {
  for (const auto& conversation : conversations_) {
    if (conversation->number() == number) return conversation->answer(json);
  }
}

// Called by the conversation itself: it is destroyed when its turn is over.
void Control::forget(const Conversation& conversation) noexcept {
  const auto at = std::ranges::find_if(
      conversations_, [&](const auto& each) { return each.get() == &conversation; });
  if (at == conversations_.end()) return;
  loop_.dispose(std::move(*at));
  conversations_.erase(at);
}

}  // namespace celadon::admin
