#include "base/late_library.h"

#include <dlfcn.h>

namespace weir::base {

LateLibrary::LateLibrary(std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    handle_ = ::dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (handle_ != nullptr) {
      cause_.clear();
      return;
    }
    const char* const text = ::dlerror();
    if (cause_.empty()) cause_ = text != nullptr ? text : "it is not there";
  }
}

void* LateLibrary::symbol(const char* name) {
  if (handle_ == nullptr) return nullptr;
  void* const found = ::dlsym(handle_, name);
  if (found == nullptr && cause_.empty()) cause_ = std::string(name) + " is not in it";
  return found;
}

}  // namespace weir::base
