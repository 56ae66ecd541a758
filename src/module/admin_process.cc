#include "module/admin_process.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <optional>
#include <string_view>

#include "admin/control.h"
#include "admin/json.h"
#include "admin/scrape.h"
#include "admin/site.h"
#include "loop/loop.h"
#include "module/catalogue.h"
#include "module/letter.h"
#include "module/stack_round.h"
#include "server/heap_keeper.h"
#include "server/server.h"

namespace celadon::module {
namespace {

// What a terminal sends to the whole group, and what is meant for the master.
constexpr int kIgnored[] = {SIGINT,  SIGQUIT, SIGHUP,  SIGUSR1,
                            SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH};

class NoLog final : public LogSink {
 public:
  void log(Level, std::string_view) noexcept override {}
};

server::Settings settings() {
  server::Settings s;
  s.worker_connections = 256;
  s.header_timeout = 5 * kSecond;
  s.keepalive = 30 * kSecond;
  s.write_timeout = 5 * kSecond;
  s.always_lets_in = true;  // a probe, whoever has connected before
  s.limits.body = 1024;
  s.request_id_header = "";
  return s;
}

// One that begins or ceases to speak TLS gets another admin process.
std::string_view scheme_of(master::Commons& commons) noexcept {
  return commons.slab().summary().certificate_ends_wall.load() > 0 ? "https" : "http";
}

class Process final : private admin::Actions, private loop::IoHandler {
 public:
  Process(master::Commons& commons, net::OwnedFd master, const AdminOptions& options,
          uid_t owner)
      : commons_(commons),
        master_(std::move(master)),
        loop_(loop::make_epoll_poller(), clock_),
        site_(commons.slab(), clock_, options.timeout, options.queue_depth),
        scraper_(site_, make_catalogue(scheme_of(commons)), options.build),
        pages_(
            loop_, site_, scraper_, *this,
            {options.token, networks(options.allowed), options.open, options.control}),
        server_(loop_, pages_, settings(), log_),
        control_(loop_, site_, scraper_, *this, owner) {}

  void serve(AdminSockets sockets) noexcept {
    if (!loop_.watch(master_.get(), loop::kRead, *this)) return;
    for (net::ListenSocket& socket : sockets.pages) {
      socket.disown_file();  // the master's, which makes the next admin process
      if (!server_.add_listener(std::move(socket))) return;
    }
    for (net::ListenSocket& socket : sockets.control) {
      socket.disown_file();
      if (!control_.listen(std::move(socket))) return;
    }
    while (master_) {
      loop_.turn(kNever);
      loop_.settle();
    }
  }

 private:
  static net::Networks networks(const std::string& list) {
    auto parsed = net::Networks::parse(list);
    return parsed ? std::move(*parsed) : net::Networks{};
  }

  static constexpr Nanos kPatience = 2 * kSecond;
  static constexpr double kLongestProfile = 25;  // less than a client waits
  static constexpr std::size_t kPacket = std::size_t{256} << 10;

  // --- questions that others answer ---

  void ask(std::uint64_t number, std::string_view words) noexcept override {
    constexpr std::string_view kProfile = "profile";
    if (words == "stacks") {
      return begin_round(number, letter::report_note(), "greenlets", kSecond);
    }
    if (words.starts_with(kProfile)) {
      const auto order = read_order(words.substr(kProfile.size()));
      if (!order) return reply(number, admin::failure("profile SECONDS [wall]"));
      const Nanos looks = order->milliseconds * kMillisecond;
      return begin_round(number, letter::profile_note(*order), "profile",
                         looks + kPatience);
    }
    const std::string packet = std::to_string(number) + " " + std::string(words);
    if (::send(master_.get(), packet.data(), packet.size(),
               MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      reply(number, admin::failure("the master is busy"));
    }
  }

  void reply(std::uint64_t number, std::string_view json) noexcept {
    if (!pages_.reply(number, json)) control_.reply(number, json);
  }

  // " 2.5 wall"
  static std::optional<letter::ProfileOrder> read_order(
      std::string_view words) noexcept {
    constexpr std::string_view kWall = " wall";
    letter::ProfileOrder order;
    if (words.ends_with(kWall)) {
      order.wall = 1;
      words.remove_suffix(kWall.size());
    }
    if (!words.starts_with(' ')) return std::nullopt;
    words.remove_prefix(1);
    double seconds = 0;
    const auto [end, error] =
        std::from_chars(words.data(), words.data() + words.size(), seconds);
    if (error != std::errc{} || end != words.data() + words.size()) return std::nullopt;
    if (!(seconds > 0 && seconds <= kLongestProfile)) return std::nullopt;
    order.milliseconds = static_cast<std::uint32_t>(seconds * 1000);
    return order;
  }

  void begin_round(std::uint64_t number, const net::Mailbox::Note& note,
                   std::string name, Nanos patience) noexcept {
    if (round_) return reply(number, admin::failure("workers are being asked already"));
    round_ =
        std::make_unique<StackRound>(loop_, commons_, note, std::move(name), patience,
                                     [this, number](const std::string& json) {
                                       reply(number, json);
                                       loop_.dispose(std::move(round_));
                                     });
    round_->start();
  }

  // An answer of the master's; or it is gone, and so are we.
  void on_io(std::uint8_t) noexcept override {
    const ssize_t n =
        ::recv(master_.get(), packet_.data(), packet_.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      loop_.poller().remove(master_.get(), *this);
      master_.close();
      return;
    }
    const std::string_view text(packet_.data(), static_cast<std::size_t>(n));
    std::uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || *end != ' ') return;
    reply(number, text.substr(static_cast<std::size_t>(end - text.data()) + 1));
  }

  master::Commons& commons_;
  net::OwnedFd master_;
  SystemClock clock_;
  NoLog log_;
  loop::Loop loop_;
  admin::Site site_;
  admin::Scraper scraper_;
  admin::Pages pages_;
  server::Server server_;
  server::HeapKeeper heap_{loop_, server_};
  admin::Control control_;
  std::unique_ptr<StackRound> round_;
  std::vector<char> packet_ = std::vector<char>(kPacket);
};

bool is(uid_t uid, gid_t gid) noexcept {
  uid_t users[3]{};
  gid_t groups[3]{};
  if (::getresuid(&users[0], &users[1], &users[2]) < 0 ||
      ::getresgid(&groups[0], &groups[1], &groups[2]) < 0)
    return false;
  return std::ranges::all_of(users, [uid](uid_t each) { return each == uid; }) &&
         std::ranges::all_of(groups, [gid](gid_t each) { return each == gid; });
}

// Whoever is another one now keeps nothing of whom it was, other groups least of all.
bool drop_privileges(const AdminOptions& options) noexcept {
  const uid_t uid = options.uid >= 0 ? static_cast<uid_t>(options.uid) : ::geteuid();
  const gid_t gid = options.gid >= 0 ? static_cast<gid_t>(options.gid) : ::getegid();
  if (uid == ::geteuid() && gid == ::getegid()) return true;
  if (::geteuid() == 0 && ::setgroups(1, &gid) < 0) return false;
  if (::setresgid(gid, gid, gid) < 0 || ::setresuid(uid, uid, uid) < 0) return false;
  return is(uid, gid) && (uid == 0 || ::setuid(0) < 0);
}

}  // namespace

void serve_admin(master::Commons& commons, AdminSockets sockets, net::OwnedFd master,
                 const AdminOptions& options) noexcept {
  for (const int signo : kIgnored) ::signal(signo, SIG_IGN);
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_NAME, "celadon:admin");
  const uid_t owner = ::getuid();
  if (!drop_privileges(options)) ::_exit(1);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  commons.settle_in(SIZE_MAX);
  {
    Process process(commons, std::move(master), options, owner);
    process.serve(std::move(sockets));
  }
  ::_exit(0);
}

}  // namespace celadon::module
