#include "httpd/tls_library.h"

#include "base/late_library.h"
#include "base/resident_code.h"

#include <string>
#include <string_view>

namespace weir::httpd {
namespace {

constexpr const char* kName = "libssl.so.3";
constexpr std::uint64_t kNoAtExit = 0x00080000;  // threads may still use it while the process ends

struct Loaded {
  TlsLibrary library;
  base::Result<void> state;
};

base::Error absent(std::string_view cause) {
  return base::fail(base::Code::config, "cannot load OpenSSL: {}", cause)
      .with_hint("TLS needs OpenSSL 3 (apt install libssl3); without it, put a proxy that speaks TLS in front");
}

Loaded open_library() {
  Loaded loaded;
  base::LateLibrary file({kName});
  const auto find = [&](auto& function, const char* name) { file.find(function, name); };
  int (*init)(std::uint64_t, const void*) = nullptr;
  TlsLibrary& library = loaded.library;
  find(init, "OPENSSL_init_ssl");
  find(library.ctx_new, "SSL_CTX_new");
  find(library.ctx_free, "SSL_CTX_free");
  find(library.ctx_ctrl, "SSL_CTX_ctrl");
  find(library.ctx_set_options, "SSL_CTX_set_options");
  find(library.ctx_set_password, "SSL_CTX_set_default_passwd_cb");
  find(library.ctx_use_certificate, "SSL_CTX_use_certificate_chain_file");
  find(library.ctx_use_key, "SSL_CTX_use_PrivateKey_file");
  find(library.ctx_check_key, "SSL_CTX_check_private_key");
  find(library.server_method, "TLS_server_method");
  find(library.ssl_new, "SSL_new");
  find(library.ssl_free, "SSL_free");
  find(library.set_accept_state, "SSL_set_accept_state");
  find(library.set_bio, "SSL_set_bio");
  find(library.do_handshake, "SSL_do_handshake");
  find(library.read, "SSL_read_ex");
  find(library.write, "SSL_write_ex");
  find(library.shutdown, "SSL_shutdown");
  find(library.get_error, "SSL_get_error");
  find(library.bio_meth_new, "BIO_meth_new");
  find(library.bio_meth_set_read, "BIO_meth_set_read");
  find(library.bio_meth_set_write, "BIO_meth_set_write");
  find(library.bio_meth_set_ctrl, "BIO_meth_set_ctrl");
  find(library.bio_new, "BIO_new");
  find(library.bio_set_init, "BIO_set_init");
  find(library.bio_set_data, "BIO_set_data");
  find(library.bio_get_data, "BIO_get_data");
  find(library.bio_set_flags, "BIO_set_flags");
  find(library.bio_clear_flags, "BIO_clear_flags");
  find(library.get_error_code, "ERR_get_error");
  find(library.clear_error, "ERR_clear_error");
  find(library.reason, "ERR_reason_error_string");
  if (!file.cause().empty()) {
    loaded.state = absent(file.cause());
  } else if (init(kNoAtExit, nullptr) != 1) {
    const char* const why = library.reason(library.get_error_code());
    loaded.state = absent(why != nullptr ? why : "it does not start");
  }
  base::forget_code_of_loading();
  return loaded;
}

}  // namespace

base::Result<const TlsLibrary*> TlsLibrary::load() {
  static const Loaded loaded = open_library();
  if (!loaded.state) return base::Error(loaded.state.error());
  return &loaded.library;
}

}  // namespace weir::httpd
