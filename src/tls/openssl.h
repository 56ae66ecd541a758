// What this room needs of OpenSSL everywhere: owners of its objects, and what it says
// of a failure.
#pragma once

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace celadon::tls {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;

using SslCtx = Owned<SSL_CTX, SSL_CTX_free>;
using Ssl = Owned<SSL, SSL_free>;
using Certificate = Owned<X509, X509_free>;

using Bio = Owned<BIO, BIO_free>;

// While it lives the thread's list of failures is that of one call. Others use OpenSSL
// in it, as Python's ssl does: what they have left there is not ours, and they take
// what is left there for theirs.
class OwnFailures {
 public:
  OwnFailures() noexcept;
  ~OwnFailures();
  OwnFailures(const OwnFailures&) = delete;
  OwnFailures& operator=(const OwnFailures&) = delete;
};

// What was written to a BIO in memory.
[[nodiscard]] std::string text_in(BIO& bio);
[[nodiscard]] std::string pem_of(X509& certificate);

// Why the last call failed, in OpenSSL's words; it forgets that then.
[[nodiscard]] std::string take_failure();

}  // namespace celadon::tls
