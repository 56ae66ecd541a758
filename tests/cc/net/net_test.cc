#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/address.h"
#include "net/kernel.h"
#include "net/listener.h"
#include "net/owned_fd.h"
#include "net/proxy_protocol.h"
#include "net/stream.h"

namespace celadon::net {
namespace {

// --- addresses ---

TEST(Bind, FormsThatPeopleWrite) {
  using Kind = BindTarget::Kind;
  const auto tcp = parse_bind("example:80");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->kind, Kind::Tcp);
  EXPECT_EQ(tcp->host, "example");
  EXPECT_EQ(tcp->port, 80);
  EXPECT_EQ(parse_bind("localhost")->port, 8000);
  EXPECT_EQ(parse_bind(":81")->port, 81);
  EXPECT_EQ(parse_bind("[::1]:82")->host, "::1");
  EXPECT_EQ(parse_bind("unix:/run/x")->path, "/run/x");
  EXPECT_EQ(parse_bind("unix:///run/x")->path, "/run/x");
  EXPECT_EQ(parse_bind("unix:@name")->kind, Kind::UnixAbstract);
  EXPECT_EQ(parse_bind("fd://3")->fd, 3);
}

TEST(Bind, WhatIsNotAnAddress) {
  for (const char* text : {"", "unix:", "a:b:c", "host:http", "host:99999", "host:-1",
                           "[::1", "[x]:1", "fd://", "fd://x", "::1"}) {
    EXPECT_FALSE(parse_bind(text)) << text;
  }
  EXPECT_EQ(parse_bind("unix:/" + std::string(107, 'a')).error(), Error::PathTooLong);
  EXPECT_TRUE(parse_bind("unix:/" + std::string(106, 'a')));
}

std::string unix_path_of(std::string_view bytes) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::ranges::copy(bytes, un.sun_path);
  constexpr std::size_t kBefore = offsetof(sockaddr_un, sun_path);
  return unix_path(reinterpret_cast<const sockaddr*>(&un),
                   static_cast<socklen_t>(kBefore + bytes.size()));
}

TEST(Addresses, PathsOfUnixSockets) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(unix_path_of("/run/x\0"sv), "/run/x");
  EXPECT_EQ(unix_path_of("/run/x"), "/run/x");
  const std::string longest(sizeof sockaddr_un::sun_path, 'x');  // without a NUL
  EXPECT_EQ(unix_path_of(longest), longest);
  EXPECT_EQ(unix_path_of("\0name"sv), "@name");
  EXPECT_EQ(unix_path_of(""), "");  // of none that is bound
  sockaddr_in in{};
  in.sin_family = AF_INET;
  EXPECT_EQ(unix_path(reinterpret_cast<const sockaddr*>(&in), sizeof in), "");
}

TEST(Addresses, TextForms) {
  EXPECT_EQ(Address::parse_ip("1.2.3.4")->ip_text(), "1.2.3.4");
  EXPECT_EQ(Address::parse_ip("2001:DB8::1")->ip_text(), "2001:db8::1");
  EXPECT_EQ(Address::parse_ip("::ffff:1.2.3.4")->ip_text(), "1.2.3.4");
  EXPECT_EQ(Address::unix_peer().ip_text(), "");
  EXPECT_FALSE(Address::parse_ip("1.2.3"));
  EXPECT_FALSE(Address::parse_ip(std::string_view("::1\0x", 5)));
  EXPECT_FALSE(Address::parse_ip(std::string(100, '1')));
}

bool holds(const char* list, const char* ip) {
  return Networks::parse(list)->contains(*Address::parse_ip(ip));
}

TEST(Networks, LiteralsBlocksAndStar) {
  EXPECT_TRUE(holds("127.0.0.1,::1", "127.0.0.1"));
  EXPECT_TRUE(holds("127.0.0.1, ::1", "::1"));
  EXPECT_FALSE(holds("127.0.0.1", "127.0.0.2"));
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.1.2"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(holds("192.168.16.0/20", "192.168.31.255"));
  EXPECT_FALSE(holds("192.168.16.0/20", "192.168.32.0"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_FALSE(holds("0.0.0.0/0", "::1"));
  EXPECT_TRUE(holds("*", "8.8.8.8"));
  EXPECT_FALSE(holds("", "127.0.0.1"));
  for (const char* bad : {"x", "1.2.3.4/33", "::1/129", "1.2.3.4/", "1.2.3.4/-1"}) {
    EXPECT_FALSE(Networks::parse(bad)) << bad;
  }
  EXPECT_TRUE(Networks::parse("127.0.0.1")->contains(Address::unix_peer()));
  EXPECT_FALSE(Networks::parse("")->contains(Address::unix_peer()));
}

// --- PROXY protocol ---

using Step = ProxyResult::Step;

TEST(ProxyProtocol, EveryPrefixNeedsMoreUntilTheWholeIsDone) {
  const std::string headers[] = {
      "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
      "PROXY TCP6 ::1 ::2 65535 1\r\n",
      "PROXY UNKNOWN whatever\r\n",
      std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0"
                  "\x09\0\x0a",
                  28),
      std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\x02zz", 18),
  };
  for (const std::string& header : headers) {
    for (std::size_t n = 0; n < header.size(); ++n) {
      EXPECT_EQ(parse_proxy_header(header.substr(0, n), ProxyMode::Auto).step,
                Step::NeedMore)
          << header << " at " << n;
    }
    const auto done = parse_proxy_header(header + "GET /", ProxyMode::Auto);
    EXPECT_EQ(done.step, Step::Done);
    EXPECT_EQ(done.consumed, header.size());
  }
}

TEST(ProxyProtocol, GivesAddresses) {
  const auto v1 =
      parse_proxy_header("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", ProxyMode::V1);
  EXPECT_EQ(v1.source->text(), "1.2.3.4:9");
  EXPECT_EQ(v1.destination->text(), "5.6.7.8:10");
}

TEST(ProxyProtocol, WhatIsMalformedIsBad) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::string bad[] = {
      "GET / HTTP/1.1\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 9 10 11\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n",
      "PROXY TCP4 1.2.3.4 5.6.7.8 09 1\r\n",
      "PROXY TCP4 ::1 ::2 9 10\r\n",
      "PROXY TCP6 1.2.3.4 5.6.7.8 9 10\r\n",
      "PROXY UDP4 1.2.3.4 5.6.7.8 9 10\r\n",
      "PROXY UNKNOWN a\nb\r\n",
      std::string("PROXY TCP6 :: ::\0 9 10\r\n", 25),
      "PROXY TCP4 1.2.3.4 5.6.7.8 9 10\n",
      "PROXY " + std::string(107, 'x'),
      signature + std::string("\x11\x11\0\x0c", 4),
      signature + std::string("\x22\x11\0\x0c", 4),
      signature + std::string("\x21\x11\x10\x01", 4),
      signature + std::string("\x21\x11\0\x04zzzz", 8),
      signature + std::string("\x21\x51\0\0", 4),
  };
  for (const std::string& header : bad) {
    EXPECT_EQ(parse_proxy_header(header, ProxyMode::Auto).step, Step::Bad) << header;
  }
  EXPECT_EQ(parse_proxy_header("PROXY UNKNOWN\r\n", ProxyMode::V2).step, Step::Bad);
}

// --- streams ---

struct Events final : StreamEvents {
  void on_readable() noexcept override { ++readable; }
  void on_drained() noexcept override { ++drained; }
  void on_hangup() noexcept override { ++hangup; }
  int readable = 0, drained = 0, hangup = 0;
};

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd_), 0);
    stream_ = std::make_unique<Stream>(fd_[0], events_, pool_);
    EXPECT_TRUE(stream_->attach(loop_));
  }
  ~StreamTest() override {
    stream_.reset();
    if (fd_[1] >= 0) ::close(fd_[1]);
  }
  std::string drain_peer() const {
    std::string out;
    char block[65536];
    ssize_t n = 0;
    while ((n = ::read(fd_[1], block, sizeof block)) > 0) {
      out.append(block, static_cast<std::size_t>(n));
    }
    return out;
  }

  ManualClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  int fd_[2] = {-1, -1};
  Events events_;
  OutPool pool_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(StreamTest, SendsAtOnceAndQueuesWhatDoesNotFit) {
  EXPECT_EQ(stream_->send("head ", "body", {}, " tail").step, Io::Step::Done);
  EXPECT_EQ(drain_peer(), "head body tail");
  const std::string big(5 << 20, 'x');
  int released = 0;
  const Owner owner{&released, [](void* n) noexcept { ++*static_cast<int*>(n); }};
  EXPECT_EQ(stream_->send("h", big, owner, "t").step, Io::Step::Again);
  EXPECT_GT(stream_->queued(), 0U);
  std::string got = drain_peer();
  while (events_.drained == 0) {
    loop_.turn(0);
    got += drain_peer();
  }
  got += drain_peer();
  EXPECT_EQ(got, "h" + big + "t");
  EXPECT_EQ(released, 1);
  EXPECT_EQ(stream_->sent(), 14 + big.size() + 2);
}

TEST_F(StreamTest, CorkedOutputWaitsForFlush) {
  stream_->send("a", {}, {}, {}, Leave::AtTurnEnd);
  stream_->send("b", {}, {}, {}, Leave::AtTurnEnd);
  EXPECT_EQ(drain_peer(), "");
  EXPECT_EQ(stream_->flush().step, Io::Step::Done);
  EXPECT_EQ(drain_peer(), "ab");
}

TEST_F(StreamTest, WhatOnlyWaitedLeavesWithTheNext) {
  stream_->send("a", {}, {}, {}, Leave::AtTurnEnd);
  EXPECT_EQ(stream_->send("b", {}, {}, {}).step, Io::Step::Done);
  EXPECT_EQ(drain_peer(), "ab");
}

TEST_F(StreamTest, WhatAnotherThreadHasSentIsNotSentAgain) {
  const std::string big(100'000, 'x');
  static int released;
  released = 0;
  const auto owner = [] {
    return Owner{&released,
                 [](void* object) noexcept { ++*static_cast<int*>(object); }};
  };
  stream_->send("a", big, owner(), "b", Leave::AtTurnEnd);
  stream_->send_queued();
  EXPECT_EQ(stream_->queued(), 0U);
  EXPECT_EQ(drain_peer(), "a" + big + "b");
  EXPECT_EQ(released, 0);  // its owner is for the loop's thread
  stream_->send("c", {}, {}, {}, Leave::AtTurnEnd);
  EXPECT_EQ(released, 1);
  stream_->send_queued();
  stream_->send("d", {}, {}, {});
  EXPECT_EQ(drain_peer(), "cd");
  stream_->send("e", big, owner(), "f", Leave::AtTurnEnd);
  stream_->send_queued();
  EXPECT_EQ(stream_->flush().step, Io::Step::Done);
  EXPECT_EQ(released, 2);
  EXPECT_EQ(drain_peer(), "e" + big + "f");
}

// To be added anew it would need room that the poller may not have by then.
TEST_F(StreamTest, D24ThePollerKnowsWhoRestsInItsHangup) {
  stream_->set_reading(false);
  ::close(std::exchange(fd_[1], -1));
  for (int i = 0; i < 3; ++i) loop_.turn(0);
  EXPECT_EQ(loop_.poller().wait(0), 0);  // it has said so
  EXPECT_EQ(events_.hangup, 0);
  const auto added = loop_.poller().modify(fd_[0], loop::kOneShot, *stream_);
  ASSERT_TRUE(added);
  EXPECT_FALSE(*added);
  stream_->set_reading(true);
  loop_.turn(0);
  EXPECT_EQ(events_.readable, 1);
}

TEST_F(StreamTest, APeerThatIsGoneFailsTheWriteAndReleasesTheOwner) {
  ::close(std::exchange(fd_[1], -1));
  int released = 0;
  const Owner owner{&released, [](void* n) noexcept { ++*static_cast<int*>(n); }};
  EXPECT_EQ(stream_->send({}, "x", owner, {}).step, Io::Step::Failed);
  EXPECT_EQ(released, 1);
}

// What came before the end is told first, again and again until it was read (C15).
TEST_F(StreamTest, C15_APeerThatIsGoneIsReadToItsEnd) {
  ASSERT_EQ(::write(fd_[1], "ab", 2), 2);
  ::close(std::exchange(fd_[1], -1));
  char byte = 0;
  for (const char expected : {'a', 'b'}) {
    loop_.turn(0);
    ASSERT_EQ(stream_->read({&byte, 1}).bytes, 1U);
    EXPECT_EQ(byte, expected);
  }
  loop_.turn(0);
  EXPECT_EQ(events_.readable, 3);
  EXPECT_EQ(stream_->read({&byte, 1}).step, Io::Step::Eof);
  EXPECT_EQ(events_.hangup, 0);
}

// Nobody reads just now: the loop does not spin, and what came is still there later.
TEST_F(StreamTest, C15_APeerThatIsGoneWaitsForWhoeverReadsLater) {
  stream_->set_reading(false);
  ASSERT_EQ(::write(fd_[1], "a", 1), 1);
  ::close(std::exchange(fd_[1], -1));
  for (int i = 0; i < 2; ++i) loop_.turn(0);  // it is told once more when it rests
  EXPECT_EQ(events_.hangup, 0);
  EXPECT_EQ(loop_.poller().wait(0), 0);
  stream_->set_reading(true);
  loop_.turn(0);
  EXPECT_EQ(events_.readable, 1);
}

TEST_F(StreamTest, AWriterHearsOfAPeerThatIsGone) {
  stream_->set_reading(false);
  stream_->send(std::string(8 << 20, 'x'), {}, {}, {});
  ::close(std::exchange(fd_[1], -1));
  loop_.turn(0);
  EXPECT_EQ(events_.hangup, 1);
}

TEST_F(StreamTest, ReadingCanPause) {
  stream_->set_reading(false);
  ASSERT_GT(::write(fd_[1], "x", 1), 0);
  loop_.turn(0);
  EXPECT_EQ(events_.readable, 0);
  stream_->set_reading(true);
  loop_.turn(0);
  EXPECT_EQ(events_.readable, 1);
}

TEST_F(StreamTest, MovesToAnotherLoop) {
  loop::Loop other{loop::make_poll_poller(), clock_};
  Events events;
  Stream moved(stream_->detach(), events, pool_);
  ASSERT_TRUE(moved.attach(other));
  ASSERT_GT(::write(fd_[1], "x", 1), 0);
  loop_.turn(0);
  EXPECT_EQ(events_.readable, 0);
  other.turn(0);
  EXPECT_EQ(events.readable, 1);
}

// --- listeners ---

struct Accepting final : Acceptor {
  Next on_accept(int fd, const Address& peer, Listener&) noexcept override {
    ::close(fd);
    last = peer;
    ++accepted;
    return accepted < limit ? Next::More : Next::Stop;
  }
  void on_accept_error(Error) noexcept override { ++errors; }
  Address last;
  int accepted = 0, errors = 0, limit = 1000;
};

int connect_to(std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
  return fd;
}

// Three clients of a listener that pauses after so many.
class PausingListener : public ::testing::Test {
 protected:
  ~PausingListener() override {
    for (const int fd : fds_) ::close(fd);
  }
  void start(int limit) {
    acceptor_.limit = limit;
    auto socket = ListenSocket::open(*parse_bind("127.0.0.1:0"), {});
    ASSERT_TRUE(socket);
    port_ = socket->address().port();
    listener_.emplace(loop_, std::move(*socket), acceptor_);
    ASSERT_TRUE(listener_->start());
    for (int i = 0; i < 3; ++i) fds_.push_back(connect_to(port_));
    loop_.turn(0);
  }

  ManualClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  Accepting acceptor_;
  std::optional<Listener> listener_;
  std::uint16_t port_ = 0;
  std::vector<int> fds_;
};

TEST_F(PausingListener, AcceptsUntilToldNotTo) {
  ASSERT_NO_FATAL_FAILURE(start(2));
  EXPECT_EQ(acceptor_.accepted, 2);
  EXPECT_FALSE(listener_->started());
  ASSERT_TRUE(listener_->start());
  loop_.turn(0);
  EXPECT_EQ(acceptor_.accepted, 3);
  EXPECT_EQ(acceptor_.last.ip_text(), "127.0.0.1");
}

TEST_F(PausingListener, WhoWaitsIsAcceptedBeforeItCloses) {
  ASSERT_NO_FATAL_FAILURE(start(1));
  EXPECT_EQ(acceptor_.accepted, 1);  // it pauses
  acceptor_.limit = 1000;
  listener_->accept_queued_and_close();
  EXPECT_EQ(acceptor_.accepted, 3);
  EXPECT_TRUE(
      ListenSocket::open(*parse_bind("127.0.0.1:" + std::to_string(port_)), {}));
}

// For each that is accepted another one comes.
struct Flooded final : Acceptor {
  ~Flooded() override {
    for (const int fd : clients) ::close(fd);
  }
  Next on_accept(int fd, const Address&, Listener& from) noexcept override {
    ::close(fd);
    ++accepted;
    if (accepted < kMost) clients.push_back(connect_to(from.socket().address().port()));
    return Next::More;
  }
  void on_accept_error(Error) noexcept override {}
  static constexpr int kMost = 200;
  std::vector<int> clients;
  int accepted = 0;
};

TEST(Listener, D20WhoComesWhileItClosesDoesNotKeepItOpen) {
  ManualClock clock;
  loop::Loop loop{loop::make_epoll_poller(), clock};
  Flooded acceptor;
  auto socket = ListenSocket::open(*parse_bind("127.0.0.1:0"), {.backlog = 8});
  ASSERT_TRUE(socket);
  Listener listener(loop, std::move(*socket), acceptor);
  ASSERT_TRUE(listener.start());
  for (int i = 0; i < 9; ++i) {
    acceptor.clients.push_back(connect_to(listener.socket().address().port()));
  }
  listener.accept_queued_and_close();
  EXPECT_EQ(acceptor.accepted, 9);
  EXPECT_LT(listener.socket().fd(), 0);
}

// Has no room for some.
class FullPoller final : public loop::Poller {
 public:
  explicit FullPoller(int& refusals) noexcept : refusals_(refusals) {}
  std::expected<void, Error> add(int, std::uint8_t,
                                 loop::IoHandler&) noexcept override {
    if (refusals_-- > 0) return std::unexpected(Error::NoMemory);
    return {};
  }
  std::expected<bool, Error> modify(int, std::uint8_t,
                                    loop::IoHandler&) noexcept override {
    return false;
  }
  void remove(int, loop::IoHandler&) noexcept override {}
  void abandon() noexcept override {}
  int wait(Nanos) noexcept override { return 0; }

 private:
  int& refusals_;
};

// Nobody would be accepted any more.
TEST(Listener, D23WhoFindsNoRoomInThePollerTriesAgain) {
  ManualClock clock;
  int refusals = 0;
  loop::Loop loop{std::make_unique<FullPoller>(refusals), clock};
  Accepting acceptor;
  auto socket = ListenSocket::open(*parse_bind("127.0.0.1:0"), {});
  ASSERT_TRUE(socket);
  Listener listener(loop, std::move(*socket), acceptor);
  refusals = 2;
  listener.resume();
  EXPECT_FALSE(listener.started());
  for (int i = 0; i < 2; ++i) {
    clock.advance(kSecond);
    loop.turn(0);
  }
  EXPECT_TRUE(listener.started());
}

// The kernel asks a silent peer, whose answer is an acknowledgement (SO_KEEPALIVE).
TEST(Kernel, WhatAProbeHearsAcknowledgesNoData) {
  auto socket = ListenSocket::open(*parse_bind("127.0.0.1:0"), {});
  ASSERT_TRUE(socket);
  const OwnedFd client(connect_to(socket->address().port()));
  const OwnedFd ours(::accept(socket->fd(), nullptr, nullptr));
  kernel::keep_alive(ours.get(), 1);
  iovec piece{const_cast<char*>("x"), 1};
  ASSERT_EQ(kernel::send(ours.get(), {&piece, 1}, 0), 1);
  const auto since_anything = [&] {
    tcp_info info{};
    socklen_t size = sizeof info;
    EXPECT_EQ(::getsockopt(ours.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_last_ack_recv * kMillisecond;
  };
  constexpr Nanos kProbed = 900 * kMillisecond;
  Nanos longest = 0;
  while (since_anything() >= longest || longest < kProbed) {
    longest = std::max(longest, since_anything());
    ::poll(nullptr, 0, 10);
  }
  EXPECT_GE(kernel::since_acknowledged(ours.get()).value_or(0), kProbed / 2);
}

// A folder of its own, by a path that is short enough for a socket wherever TMPDIR is.
class Folder {
 public:
  ~Folder() {
    ::close(fd_);
    ::rmdir(path_.c_str());
  }
  [[nodiscard]] bool make() {
    if (::mkdtemp(path_.data())) fd_ = ::open(path_.c_str(), O_PATH | O_CLOEXEC);
    return fd_ >= 0;
  }
  [[nodiscard]] std::string at(const char* name) const {
    return "/proc/self/fd/" + std::to_string(fd_) + "/" + name;
  }

 private:
  std::string path_ = ::testing::TempDir() + "celadon-XXXXXX";
  int fd_ = -1;
};

TEST(Listener, AFileOfItsOwnGoesWhenItCloses) {
  Folder folder;
  ASSERT_TRUE(folder.make());
  const std::string path = folder.at("listener.sock");
  ManualClock clock;
  loop::Loop loop{loop::make_epoll_poller(), clock};
  Accepting acceptor;
  auto socket = ListenSocket::open(*parse_bind("unix:" + path), {});
  ASSERT_TRUE(socket);
  Listener listener(loop, std::move(*socket), acceptor);
  ASSERT_TRUE(listener.start());
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  listener.accept_queued_and_close();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(Listener, OpenFailuresHaveTheirCause) {
  auto first = ListenSocket::open(*parse_bind("127.0.0.1:0"), {});
  ASSERT_TRUE(first);
  BindTarget same;
  same.host = "127.0.0.1";
  same.port = first->address().port();
  EXPECT_EQ(ListenSocket::open(same, {}).error(), Error::AddressInUse);
  EXPECT_EQ(ListenSocket::open(*parse_bind("192.0.2.1:0"), {}).error(),
            Error::AddressUnavailable);
  EXPECT_EQ(ListenSocket::open(*parse_bind("fd://0"), {}).error(),
            Error::BadDescriptor);
}

}  // namespace
}  // namespace celadon::net
