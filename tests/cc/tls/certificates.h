// Certificates and keys in files of a folder of their own, made for a test.
#pragma once

#include <openssl/x509.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tls/openssl.h"

namespace celadon::tls {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;

enum class Kind : std::uint8_t { Ecdsa, Rsa, WeakRsa };

struct Issued {
  Certificate cert;
  Key key;
};

struct Wanted {
  std::vector<std::string> names = {"localhost"};
  Kind kind = Kind::Ecdsa;
  int days = 30;               // from now on
  const Issued* by = nullptr;  // null: itself
  bool is_authority = false;
};

[[nodiscard]] Issued issue(const Wanted& wanted = {});

class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // The path of a file of that name, with what is written to it.
  [[nodiscard]] std::string cert(const std::string& name, const Issued& issued) const;
  [[nodiscard]] std::string key(const std::string& name, const Issued& issued,
                                const std::string& password = {}) const;
  [[nodiscard]] std::string revoked(const std::string& name, const Issued& by,
                                    const Issued& whom) const;
  [[nodiscard]] std::string text(const std::string& name,
                                 const std::string& text) const;

 private:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }
  std::filesystem::path folder_;
};

}  // namespace celadon::tls
