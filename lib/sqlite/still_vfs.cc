#include "sqlite/still_vfs.h"

#include <sqlite3.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace weir::sqlite {
namespace {

// The file of a connection: a file of the layer below, or an empty one for a log that does not exist.
struct Inside {
  std::vector<std::max_align_t> memory;
  bool open = false;
  std::vector<std::unique_ptr<char[]>> index;  // regions of the log's index

  [[nodiscard]] sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(memory.data()); }
  ~Inside() {
    if (open) file()->pMethods->xClose(file());
  }
};

struct StillFile {
  sqlite3_file base;
  Inside* inside;
};

Inside& of(sqlite3_file* file) { return *reinterpret_cast<StillFile*>(file)->inside; }

sqlite3_vfs* below() { return sqlite3_vfs_find(nullptr); }

int refuse_write(sqlite3_file*, const void*, int, sqlite3_int64) { return SQLITE_READONLY; }
int refuse_truncate(sqlite3_file*, sqlite3_int64) { return SQLITE_READONLY; }
int do_nothing(sqlite3_file*, int) { return SQLITE_OK; }

int close_file(sqlite3_file* file) {
  delete reinterpret_cast<StillFile*>(file)->inside;
  file->pMethods = nullptr;
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  Inside& inside = of(file);
  if (inside.open) return inside.file()->pMethods->xRead(inside.file(), out, size, offset);
  std::memset(out, 0, static_cast<std::size_t>(size));
  return SQLITE_IOERR_SHORT_READ;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  Inside& inside = of(file);
  *size = 0;
  return inside.open ? inside.file()->pMethods->xFileSize(inside.file(), size) : SQLITE_OK;
}

int control(sqlite3_file* file, int operation, void* argument) {
  Inside& inside = of(file);
  return inside.open ? inside.file()->pMethods->xFileControl(inside.file(), operation, argument) : SQLITE_NOTFOUND;
}

int no_reserved_lock(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int sector_size(sqlite3_file*) { return 4096; }
int characteristics(sqlite3_file*) { return 0; }

int map_index(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  auto& index = of(file).index;
  const auto number = static_cast<std::size_t>(region);
  *out = nullptr;
  if (number >= index.size()) {
    if (extend == 0) return SQLITE_OK;
    index.resize(number + 1);
  }
  if (index[number] == nullptr) {
    if (extend == 0) return SQLITE_OK;
    index[number].reset(new (std::nothrow) char[static_cast<std::size_t>(size)]());
    if (index[number] == nullptr) return SQLITE_NOMEM;
  }
  *out = index[number].get();
  return SQLITE_OK;
}
int lock_index(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void order_index(sqlite3_file*) {}
int unmap_index(sqlite3_file* file, int) {
  of(file).index.clear();
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = refuse_write,
    .xTruncate = refuse_truncate,
    .xSync = do_nothing,
    .xFileSize = file_size,
    .xLock = do_nothing,
    .xUnlock = do_nothing,
    .xCheckReservedLock = no_reserved_lock,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_index,
    .xShmLock = lock_index,
    .xShmBarrier = order_index,
    .xShmUnmap = unmap_index,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  file->pMethods = nullptr;
  auto inside = std::make_unique<Inside>();
  sqlite3_vfs* system = below();
  inside->memory.resize(static_cast<std::size_t>(system->szOsFile) / sizeof(std::max_align_t) + 1);
  constexpr int kWays =
      SQLITE_OPEN_READONLY | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE | SQLITE_OPEN_DELETEONCLOSE;
  const int kind = flags & ~kWays;
  const int code = system->xOpen(system, name, inside->file(), kind | SQLITE_OPEN_READONLY, nullptr);
  inside->open = code == SQLITE_OK;
  if (!inside->open) {
    if (inside->file()->pMethods != nullptr) inside->file()->pMethods->xClose(inside->file());
    int there = 0;
    const bool log = (flags & SQLITE_OPEN_WAL) != 0;
    if (!log || name == nullptr) return code;
    if (system->xAccess(system, name, SQLITE_ACCESS_EXISTS, &there) != SQLITE_OK || there != 0) return code;
  }
  if (out != nullptr) *out = kind | SQLITE_OPEN_READONLY;
  auto* still = reinterpret_cast<StillFile*>(file);
  still->inside = inside.release();
  still->base.pMethods = &kMethods;
  return SQLITE_OK;
}

sqlite3_vfs make() {
  sqlite3_vfs vfs = *below();
  vfs.zName = "weir-still";
  vfs.szOsFile = static_cast<int>(sizeof(StillFile));
  vfs.pNext = nullptr;
  vfs.xOpen = open_file;
  vfs.xDelete = [](sqlite3_vfs*, const char*, int) { return SQLITE_OK; };
  return vfs;
}

}  // namespace

const char* still_vfs() {
  static sqlite3_vfs vfs = make();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? vfs.zName : nullptr;
}

}  // namespace weir::sqlite
