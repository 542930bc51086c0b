#include "base/resident_code.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::base {
namespace {

// Code that was changed in memory, which a look at the file would not bring back.
bool relocated_code(const dl_phdr_info& module) {
  for (const ElfW(Phdr) & part : std::span(module.dlpi_phdr, module.dlpi_phnum)) {
    if (part.p_type != PT_DYNAMIC) continue;
    for (const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(module.dlpi_addr + part.p_vaddr); entry->d_tag != DT_NULL;
         ++entry) {
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
  for (const ElfW(Phdr) & part : std::span(module->dlpi_phdr, module->dlpi_phnum)) {
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (module->dlpi_addr + part.p_vaddr + page - 1) / page * page;
    const std::uintptr_t end = (module->dlpi_addr + part.p_vaddr + part.p_memsz) / page * page;
    if (begin < end)
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // advice: nothing follows from a refusal
  }
  return 0;
}

}  // namespace

void forget_code_of_loading() { ::dl_iterate_phdr(forget_untouched, nullptr); }

}  // namespace weir::base
