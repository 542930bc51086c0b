#include "http/curl_library.h"

#include "base/late_library.h"
#include "base/resident_code.h"
#include "http/library_version.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace weir::http {
namespace {

struct Loaded {
  CurlLibrary library;
  base::Result<void> state;
};

base::Error absent(std::string_view cause) {
  return base::fail(base::Code::io, "cannot load libcurl: {}", cause)
      .with_hint("HTTP needs libcurl 7.68 or newer (apt install libcurl4) and 40 MB of address space for it (ulimit -v)");
}

Loaded open_library() {
  Loaded loaded;
  // libcurl brings GnuTLS for protocols that weir never uses. GnuTLS (and PKCS #11 modules) would initialise itself when it is
  // loaded. The build of libcurl that uses GnuTLS for TLS initialises it by itself.
  ::setenv("GNUTLS_NO_IMPLICIT_INIT", "1", 0);
  // What starting has touched of the program, what loading touches and what initialising touches are each megabytes: together they
  // would be the most memory that a small command ever has.
  base::forget_code_of_loading();
  // The build against GnuTLS has the same interface, and it may be the only one that is installed.
  base::LateLibrary file({"libcurl.so.4", "libcurl-gnutls.so.4"});
  base::forget_code_of_loading();
  const auto find = [&](auto& function, const char* name) { file.find(function, name); };
  decltype(&::curl_global_init) global_init = nullptr;
  CurlLibrary& library = loaded.library;
  find(global_init, "curl_global_init");
  find(library.easy_init, "curl_easy_init");
  find(library.easy_setopt, "curl_easy_setopt");
  find(library.easy_perform, "curl_easy_perform");
  find(library.easy_cleanup, "curl_easy_cleanup");
  find(library.easy_reset, "curl_easy_reset");
  find(library.easy_getinfo, "curl_easy_getinfo");
  find(library.easy_strerror, "curl_easy_strerror");
  find(library.slist_append, "curl_slist_append");
  find(library.slist_free_all, "curl_slist_free_all");
  find(library.multi_init, "curl_multi_init");
  find(library.multi_setopt, "curl_multi_setopt");
  find(library.multi_add_handle, "curl_multi_add_handle");
  find(library.multi_remove_handle, "curl_multi_remove_handle");
  find(library.multi_perform, "curl_multi_perform");
  find(library.multi_poll, "curl_multi_poll");
  find(library.multi_wakeup, "curl_multi_wakeup");
  find(library.multi_info_read, "curl_multi_info_read");
  find(library.multi_cleanup, "curl_multi_cleanup");
  find(library.multi_strerror, "curl_multi_strerror");
  find(library.getdate, "curl_getdate");
  find(library.version_info, "curl_version_info");
  if (!file.cause().empty()) {
    loaded.state = absent(file.cause());
  } else if (const CURLcode code = global_init(CURL_GLOBAL_DEFAULT); code != CURLE_OK) {
    loaded.state = absent(library.easy_strerror(code));
  }
  base::forget_code_of_loading();  // 8 MB of code of 30 libraries
  return loaded;
}

}  // namespace

base::Result<const CurlLibrary*> CurlLibrary::load() {
  static const Loaded loaded = open_library();
  if (!loaded.state) return base::Error(loaded.state.error());
  return &loaded.library;
}

base::Result<std::string> library_version() {
  const auto curl = CurlLibrary::load();
  if (!curl) return base::Error(curl.error());
  const auto* const info = (*curl)->version_info(CURLVERSION_NOW);
  return fmt::format("{}, {}", info->version, info->ssl_version != nullptr ? info->ssl_version : "without TLS");
}

}  // namespace weir::http
