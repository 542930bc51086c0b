#include "http/curl_library.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

namespace weir::http {
namespace {

struct Loaded {
  CurlLibrary library;
  base::Result<void> state;
};

base::Error absent(std::string_view cause) {
  return base::fail(base::Code::config, "cannot load libcurl: {}", cause)
      .with_hint("HTTP needs libcurl 7.68 or newer: apt install libcurl4");
}

// Code that was changed in memory, which a look at the file would not bring back.
bool relocated_code(const dl_phdr_info& module) {
  for (const ElfW(Phdr)& part : std::span(module.dlpi_phdr, module.dlpi_phnum)) {
    if (part.p_type != PT_DYNAMIC) continue;
    for (const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(module.dlpi_addr + part.p_vaddr); entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0)) return true;
    }
  }
  return false;
}

int forget_untouched(dl_phdr_info* module, std::size_t, void*) {
  const std::string_view name = module->dlpi_name == nullptr ? "" : module->dlpi_name;
  const bool is_file = name.empty() || name.front() == '/';  // the program itself has no name
  if (!is_file || relocated_code(*module)) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (const ElfW(Phdr)& part : std::span(module->dlpi_phdr, module->dlpi_phnum)) {
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (module->dlpi_addr + part.p_vaddr + page - 1) / page * page;
    const std::uintptr_t end = (module->dlpi_addr + part.p_vaddr + part.p_memsz) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // advice: nothing follows from a refusal
  }
  return 0;
}

// Loading and setting up 30 libraries touches 8 MB of their code, nearly all of it for the last time. What is read-only comes from the
// page cache again when it is wanted.
void forget_code_of_loading() { ::dl_iterate_phdr(forget_untouched, nullptr); }

Loaded open_library() {
  Loaded loaded;
  void* handle = nullptr;
  // libcurl brings GnuTLS for protocols that are never spoken here; it would set itself up (and PKCS #11 modules) when it is loaded. The
  // build of libcurl that is made with it sets it up by itself.
  ::setenv("GNUTLS_NO_IMPLICIT_INIT", "1", 0);
  std::string cause;
  // The build against GnuTLS has the same interface and may be the only one that is installed.
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"}) {
    handle = ::dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (handle != nullptr) break;
    if (const char* text = ::dlerror(); text != nullptr && cause.empty()) cause = text;
  }
  if (handle == nullptr) {
    loaded.state = absent(cause);
    return loaded;
  }
  std::string missing;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    if (function == nullptr && missing.empty()) missing = name;
  };
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
  if (!missing.empty()) {
    loaded.state = absent(missing + " is not in it");
  } else if (const CURLcode code = global_init(CURL_GLOBAL_DEFAULT); code != CURLE_OK) {
    loaded.state = absent(library.easy_strerror(code));
  }
  forget_code_of_loading();
  return loaded;
}

}  // namespace

base::Result<const CurlLibrary*> CurlLibrary::load() {
  static const Loaded loaded = open_library();
  if (!loaded.state) return base::Error(loaded.state.error());
  return &loaded.library;
}

}  // namespace weir::http
