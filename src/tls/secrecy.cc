#include "tls/secrecy.h"

namespace celadon::tls {
namespace {

// RFC 4514, in ASCII: what is none is escaped.
std::string name_of(X509& certificate) {
  const Bio text(BIO_new(BIO_s_mem()));
  if (!text) return {};
  X509_NAME_print_ex(text.get(), X509_get_subject_name(&certificate), 0,
                     XN_FLAG_RFC2253);
  return text_in(*text);
}

// A session that is resumed has the client's own certificate only.
void add_client(net::Secrecy& out, SSL& ssl) {
  const Certificate own(SSL_get1_peer_certificate(&ssl));
  if (!own) return;
  out.client_name = name_of(*own);
  out.client_chain.push_back(pem_of(*own));
  const STACK_OF(X509)* others = SSL_get_peer_cert_chain(&ssl);
  for (int i = 0; others && i < sk_X509_num(others); ++i) {
    out.client_chain.push_back(pem_of(*sk_X509_value(others, i)));
  }
}

}  // namespace

net::Secrecy secrecy_of(SSL& ssl, const Context& context) {
  net::Secrecy out;
  out.version = SSL_get_version(&ssl);
  out.version_number = static_cast<std::uint16_t>(SSL_version(&ssl));
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(&ssl)) {
    out.suite = SSL_CIPHER_get_name(cipher);
    out.suite_number = SSL_CIPHER_get_protocol_id(cipher);
  }
  out.server_certificate = context.pem_of(SSL_get_certificate(&ssl));
  out.asks_clients = SSL_get_verify_mode(&ssl) != SSL_VERIFY_NONE;
  if (out.asks_clients) add_client(out, ssl);
  return out;
}

}  // namespace celadon::tls
