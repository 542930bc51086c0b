#include "tail/journal_library.h"

#include "base/late_library.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace weir::tail {
namespace {

constexpr const char* kSoName = "libsystemd.so.0";

struct Loaded {
  JournalLibrary library;
  base::Result<void> state;
};

base::Error absent(std::string_view cause) {
  return base::fail(base::Code::io, "cannot read the journal: cannot load libsystemd: {}", cause)
      .with_hint(
          "the journal needs libsystemd 246 or newer (apt install libsystemd0); journalctl -o json | weir tail --format journal - "
          "reads it without");
}

Loaded open_library() {
  Loaded loaded;
  base::LateLibrary file({kSoName});
  const auto find = [&](auto& function, const char* name) { file.find(function, name); };
  JournalLibrary& library = loaded.library;
  find(library.open_files_fd, "sd_journal_open_files_fd");
  find(library.close, "sd_journal_close");
  find(library.next, "sd_journal_next");
  find(library.previous, "sd_journal_previous");
  find(library.get_realtime, "sd_journal_get_realtime_usec");
  find(library.set_data_threshold, "sd_journal_set_data_threshold");
  find(library.enumerate_data, "sd_journal_enumerate_available_data");
  find(library.add_match, "sd_journal_add_match");
  find(library.add_disjunction, "sd_journal_add_disjunction");
  find(library.add_conjunction, "sd_journal_add_conjunction");
  find(library.flush_matches, "sd_journal_flush_matches");
  find(library.seek_tail, "sd_journal_seek_tail");
  find(library.seek_realtime, "sd_journal_seek_realtime_usec");
  find(library.seek_cursor, "sd_journal_seek_cursor");
  find(library.get_cursor, "sd_journal_get_cursor");
  if (!file.cause().empty()) loaded.state = absent(file.cause());
  return loaded;
}

}  // namespace

base::Result<const JournalLibrary*> JournalLibrary::load() {
  static const Loaded loaded = open_library();
  if (!loaded.state) return base::Error(loaded.state.error());
  return &loaded.library;
}

base::Result<std::string> JournalLibrary::file_name() {
  const auto library = load();
  if (!library) return base::Error(library.error());
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>((*library)->next), &info) == 0 || info.dli_fname == nullptr)
    return std::string(kSoName);
  std::error_code failed;
  const auto file = std::filesystem::canonical(info.dli_fname, failed);
  return failed ? std::string(kSoName) : file.filename().string();
}

}  // namespace weir::tail
