#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace celadon::tls {
namespace {

void forget_failures() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

OwnFailures::OwnFailures() noexcept {
  forget_failures();
}

OwnFailures::~OwnFailures() {
  forget_failures();
}

std::string text_in(BIO& bio) {
  const char* text = nullptr;
  const long size = BIO_get_mem_data(&bio, &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::string pem_of(X509& certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), &certificate) != 1) return {};
  return text_in(*bio);
}

// The first is the cause; what follows is who passed it on.
std::string take_failure() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "reason " + std::to_string(ERR_GET_REASON(code));
}

}  // namespace celadon::tls
