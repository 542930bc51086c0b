#include "sqlite/read_watch.h"

#include <sqlite3.h>

#include <utility>

namespace weir::sqlite {
namespace {

constexpr std::uint64_t kTellEvery = 1 << 20;

}  // namespace

// Stands in place of the methods of SQLite's open file: the same ones, but for xRead. A layer of its own (as still_vfs.h) would
// have to be chosen when the file is opened.
struct ReadWatch::Methods {
  sqlite3_io_methods table;  // the first member: xRead finds the others by it
  sqlite3_file* file;
  const sqlite3_io_methods* below;
  sqlite3* handle;
  OnRead on_read;
  std::uint64_t bytes = 0, told = 0;

  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    auto& self = *reinterpret_cast<Methods*>(const_cast<sqlite3_io_methods*>(file->pMethods));
    const int code = self.below->xRead(file, to, size, offset);
    if (size > 0) self.bytes += static_cast<std::uint64_t>(size);
    if (self.bytes - self.told >= kTellEvery) {
      self.told = self.bytes;
      if (!self.on_read(self.bytes)) sqlite3_interrupt(self.handle);
    }
    return code;
  }
};

ReadWatch::ReadWatch(Database& database, OnRead on_read) {
  sqlite3_file* file = nullptr;
  const int known = sqlite3_file_control(database.handle_, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (known != SQLITE_OK || file == nullptr || file->pMethods == nullptr) return;  // then nothing is told
  methods_.reset(new Methods{*file->pMethods, file, file->pMethods, database.handle_, std::move(on_read)});
  methods_->table.xRead = Methods::read;
  file->pMethods = &methods_->table;
}

ReadWatch::~ReadWatch() {
  if (methods_ != nullptr) methods_->file->pMethods = methods_->below;
}

}  // namespace weir::sqlite
