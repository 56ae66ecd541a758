#include "base/error.h"

#include <cerrno>
#include <utility>

namespace celadon {

std::string_view describe(Error error) noexcept {
  switch (error) {
    case Error::Reset: return "connection reset by peer";
    case Error::TimedOut: return "connection timed out";
    case Error::NoDescriptors: return "too many open files";
    case Error::NoMemory: return "the kernel is out of memory for sockets";
    case Error::NoThreads: return "no room for another thread";
    case Error::AddressInUse: return "address already in use";
    case Error::AddressUnavailable: return "address not available on this machine";
    case Error::PermissionDenied: return "permission denied";
    case Error::BadAddress: return "not a valid address";
    case Error::BadDescriptor: return "not a usable descriptor";
    case Error::NoSpace: return "no space left on device";
    case Error::NotFound: return "no such file or directory";
    case Error::IsDirectory: return "it is a directory";
    case Error::ReadOnly: return "it is on a read-only file system";
    case Error::PathTooLong:
      return "the path is too long (that of a socket has 107 bytes at most)";
    case Error::Unsupported: return "not supported by this kernel";
    case Error::BadProxyHeader: return "bad PROXY protocol header";
    case Error::BadTls: return "TLS failed";
    case Error::Other: return "input/output error";
  }
  std::unreachable();
}

Error error_from_errno(int err) noexcept {
  switch (err) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
    case ECONNABORTED: return Error::Reset;
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ENETUNREACH: return Error::TimedOut;
    case EMFILE:
    case ENFILE: return Error::NoDescriptors;
    case ENOMEM:
    case ENOBUFS: return Error::NoMemory;
    case EADDRINUSE: return Error::AddressInUse;
    case EADDRNOTAVAIL: return Error::AddressUnavailable;
    case EACCES:
    case EPERM: return Error::PermissionDenied;
    case EBADF:
    case ENOTSOCK: return Error::BadDescriptor;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return Error::NoSpace;
    case ENOENT:
    case ENOTDIR: return Error::NotFound;
    case EISDIR: return Error::IsDirectory;
    case EROFS: return Error::ReadOnly;
    case ENAMETOOLONG: return Error::PathTooLong;
    case ENOSYS:
    case EOPNOTSUPP: return Error::Unsupported;
    default: return Error::Other;
  }
}

}  // namespace celadon
