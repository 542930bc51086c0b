// The functions of OpenSSL that weir uses, looked up at run time.
//
// They are declared here and not taken from OpenSSL's headers: so nothing of OpenSSL is needed to build, nothing is linked, and a
// server without TLS loads nothing. What stands here is the interface of libssl.so.3, which is the same in all of OpenSSL 3: the
// number in the name of the library changes with an incompatible change.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>

// The names of OpenSSL's own types: only pointers to them are used.
struct ssl_st;
struct ssl_ctx_st;
struct ssl_method_st;
struct bio_st;
struct bio_method_st;

namespace weir::httpd {

// Immutable once loaded.
struct TlsLibrary {
  // Commands of SSL_CTX_ctrl, modes, options and results, as in ssl.h.
  static constexpr int kSetMode = 33, kSetSessionCache = 44, kSetLeastVersion = 123;
  static constexpr long kPartialWrite = 0x1, kMovingBuffer = 0x2, kReleaseBuffers = 0x10;
  static constexpr long kVersion12 = 0x0303;
  static constexpr std::uint64_t kNoRenegotiation = 1U << 30, kNoCompression = 1U << 17, kCipherPreference = 1U << 22;
  static constexpr int kPem = 1;
  static constexpr int kWantRead = 2, kWantWrite = 3, kZeroReturn = 6;
  // Of a BIO, as in bio.h.
  static constexpr int kRetryRead = 0x9, kRetryWrite = 0xA, kAllFlags = 0xF, kFlush = 11, kSourceSink = 0x0400;

  ssl_ctx_st* (*ctx_new)(const ssl_method_st*) = nullptr;
  void (*ctx_free)(ssl_ctx_st*) = nullptr;
  long (*ctx_ctrl)(ssl_ctx_st*, int, long, void*) = nullptr;
  std::uint64_t (*ctx_set_options)(ssl_ctx_st*, std::uint64_t) = nullptr;
  void (*ctx_set_password)(ssl_ctx_st*, int (*)(char*, int, int, void*)) = nullptr;
  int (*ctx_use_certificate)(ssl_ctx_st*, const char*) = nullptr;
  int (*ctx_use_key)(ssl_ctx_st*, const char*, int) = nullptr;
  int (*ctx_check_key)(const ssl_ctx_st*) = nullptr;
  const ssl_method_st* (*server_method)() = nullptr;
  ssl_st* (*ssl_new)(ssl_ctx_st*) = nullptr;
  void (*ssl_free)(ssl_st*) = nullptr;
  void (*set_accept_state)(ssl_st*) = nullptr;
  void (*set_bio)(ssl_st*, bio_st*, bio_st*) = nullptr;
  int (*do_handshake)(ssl_st*) = nullptr;
  int (*read)(ssl_st*, void*, std::size_t, std::size_t*) = nullptr;
  int (*write)(ssl_st*, const void*, std::size_t, std::size_t*) = nullptr;
  int (*shutdown)(ssl_st*) = nullptr;
  int (*get_error)(const ssl_st*, int) = nullptr;
  bio_method_st* (*bio_meth_new)(int, const char*) = nullptr;
  int (*bio_meth_set_read)(bio_method_st*, int (*)(bio_st*, char*, int)) = nullptr;
  int (*bio_meth_set_write)(bio_method_st*, int (*)(bio_st*, const char*, int)) = nullptr;
  int (*bio_meth_set_ctrl)(bio_method_st*, long (*)(bio_st*, int, long, void*)) = nullptr;
  bio_st* (*bio_new)(const bio_method_st*) = nullptr;
  void (*bio_set_init)(bio_st*, int) = nullptr;
  void (*bio_set_data)(bio_st*, void*) = nullptr;
  void* (*bio_get_data)(bio_st*) = nullptr;
  void (*bio_set_flags)(bio_st*, int) = nullptr;
  void (*bio_clear_flags)(bio_st*, int) = nullptr;
  unsigned long (*get_error_code)() = nullptr;
  void (*clear_error)() = nullptr;
  const char* (*reason)(unsigned long) = nullptr;

  // The first call in a process loads and initialises OpenSSL. A failure is remembered. Thread safe.
  static base::Result<const TlsLibrary*> load();
};

}  // namespace weir::httpd
