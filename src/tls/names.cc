#include "tls/names.h"

#include <openssl/x509v3.h>

#include <algorithm>

#include "tls/openssl.h"

namespace celadon::tls {
namespace {

using AltNames = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

std::string_view text_of(const ASN1_STRING& text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&text)),
          static_cast<std::size_t>(ASN1_STRING_length(&text))};
}

std::string common_name(X509& certificate) {
  X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, at);
  return plain_name(text_of(*X509_NAME_ENTRY_get_data(entry)));
}

}  // namespace

std::string plain_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string plain(name);
  for (char& c : plain) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return plain;
}

std::vector<std::string> names_of(X509& certificate) {
  std::vector<std::string> names;
  const AltNames all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) names.push_back(plain_name(text_of(*name->d.dNSName)));
  }
  if (names.empty()) {
    if (std::string name = common_name(certificate); !name.empty()) {
      names.push_back(std::move(name));
    }
  }
  std::ranges::sort(names);
  return names;
}

std::string starred(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos) return {};
  return "*" + std::string(name.substr(dot));
}

}  // namespace celadon::tls
