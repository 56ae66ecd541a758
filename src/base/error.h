// The closed set of things that peers and the environment do to us. Limits are peer
// errors; out of memory is not an error here, it aborts.
#pragma once

#include <cstdint>
#include <string_view>

namespace celadon {

enum class Error : std::uint8_t {
  Reset,               // the peer reset the connection, or it broke under a write
  TimedOut,            // the kernel gave up on the peer (ETIMEDOUT)
  NoDescriptors,       // EMFILE or ENFILE
  NoMemory,            // ENOMEM or ENOBUFS from the kernel
  NoThreads,           // no room for one more thread: memory, or a limit of its user
  AddressInUse,        // bind(2) found the address taken
  AddressUnavailable,  // bind(2) was given an address this machine does not have
  PermissionDenied,    // EACCES or EPERM
  BadAddress,          // text that is not an address of a known form
  BadDescriptor,       // EBADF, or an inherited descriptor that is not a listener
  NoSpace,             // ENOSPC, EDQUOT or EFBIG while writing a file
  NotFound,            // ENOENT or ENOTDIR
  IsDirectory,         // EISDIR
  ReadOnly,            // EROFS
  PathTooLong,         // of a unix socket, or ENAMETOOLONG
  Unsupported,         // the kernel lacks the call
  BadProxyHeader,      // PROXY protocol: malformed, too long, or of an unknown version
  BadTls,              // TLS: a handshake that failed, or a record that is not one
  Other,               // any other errno
};

// One line in plain words, for logs and exceptions.
std::string_view describe(Error error) noexcept;

// Maps errno of a failed call to its cause.
Error error_from_errno(int err) noexcept;

}  // namespace celadon
