// The functions of libsystemd that read the journal, looked up at run time: sd-journal(3). They are declared here, so that nothing
// of systemd is needed to build weir.
//
// All return a negative errno on failure.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>

struct sd_journal;  // one thread at a time

namespace weir::tail {

// Immutable once loaded, so any thread may use it.
struct JournalLibrary {
  // The descriptors belong to the journal then, which closes them; on failure they stay the caller's.
  int (*open_files_fd)(sd_journal** journal, int* fds, unsigned count, int flags) = nullptr;
  void (*close)(sd_journal*) = nullptr;
  int (*next)(sd_journal*) = nullptr;      // 1: there is an entry; 0: not now
  int (*previous)(sd_journal*) = nullptr;  // the same
  int (*get_realtime)(sd_journal*, std::uint64_t* microseconds) = nullptr;
  int (*set_data_threshold)(sd_journal*, std::size_t) = nullptr;
  // "NAME=value" of the next field, valid until the next call; 1, and 0 after the last.
  int (*enumerate_data)(sd_journal*, const void** data, std::size_t* size) = nullptr;
  int (*add_match)(sd_journal*, const void* data, std::size_t size) = nullptr;
  int (*add_disjunction)(sd_journal*) = nullptr;
  int (*add_conjunction)(sd_journal*) = nullptr;
  void (*flush_matches)(sd_journal*) = nullptr;
  int (*seek_tail)(sd_journal*) = nullptr;
  int (*seek_realtime)(sd_journal*, std::uint64_t microseconds) = nullptr;
  int (*seek_cursor)(sd_journal*, const char* cursor) = nullptr;  // next() gives the entry of the cursor, or the first behind it
  int (*get_cursor)(sd_journal*, char** cursor) = nullptr;        // to be freed

  // The first call in a process loads libsystemd. A failure is remembered. Thread safe. Error: io.
  static base::Result<const JournalLibrary*> load();

  // The name of its file, which bears the version: "libsystemd.so.0.35.0". Loads it, and fails as load() does.
  static base::Result<std::string> file_name();
};

}  // namespace weir::tail
