// What is asked of the kernel about connections and listeners that are open: one plain
// function per system call, with its result and errno. Everything that this room and
// the server do with such a descriptor goes through here, so that tests can link
// another kernel in place of this one: tests/sim has one whose peers, buffers and
// faults follow from a seed.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <optional>
#include <span>

#include "base/clock.h"

namespace celadon::net::kernel {

[[nodiscard]] ssize_t recv(int fd, std::span<char> into) noexcept;
// `flags`: MSG_MORE or 0. A peer that is gone raises no signal.
[[nodiscard]] ssize_t send(int fd, std::span<const iovec> pieces, int flags) noexcept;
[[nodiscard]] ssize_t send_file(int fd, int file, off_t& offset,
                                std::size_t count) noexcept;
[[nodiscard]] ssize_t read_file(int file, std::span<char> into, off_t offset) noexcept;
void shutdown(int fd, int how) noexcept;
// Bytes that were sent and that the peer's kernel has not acknowledged yet.
[[nodiscard]] std::size_t unsent(int fd) noexcept;
// How long ago the peer's kernel acknowledged the last byte that was sent, on a few
// milliseconds, where it has acknowledged all of them; nullopt where nothing tells.
[[nodiscard]] std::optional<Nanos> since_acknowledged(int fd) noexcept;
// The peer has reset it, or it broke otherwise; says so once.
[[nodiscard]] bool is_broken(int fd) noexcept;
void close(int fd) noexcept;
// The next close makes a reset, whatever is queued.
void reset_on_close(int fd) noexcept;
// TCP's reset at once, whoever else has it open.
void disconnect(int fd) noexcept;
// Small writes leave at once. A listener's connections inherit it.
void no_delay(int fd) noexcept;
// Who says nothing for so many seconds is asked whether he is there, and gone where he
// does not answer within as many again; 0: he is not asked. Inherited likewise.
void keep_alive(int fd, int seconds) noexcept;
[[nodiscard]] int local_name(int fd, sockaddr* into, socklen_t& size) noexcept;

// The descriptor accepts connections.
[[nodiscard]] bool is_listener(int fd) noexcept;
// No call on it waits, and no program that is executed inherits it.
[[nodiscard]] int make_ours(int fd) noexcept;
// Another one of the same connection, which no program that is executed inherits.
[[nodiscard]] int duplicate(int fd) noexcept;
// Of a connection for which that holds.
[[nodiscard]] int accept(int listener, sockaddr* peer, socklen_t& size) noexcept;

}  // namespace celadon::net::kernel
