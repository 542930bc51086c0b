// A system layer for SQLite that loses power: what was written and not yet synced is kept apart, and a cut leaves any part of it
// behind.
//
//   PowerLossVfs power(seed);                 // every database opened from here on goes through it
//   power.cut_after(100);                     // the 100th write from now is the last one before the cut
//   … work; the process lives on …
//   if (power.cut()) power.leave(folder);     // the files as a machine finds them when it starts again
//
// It can be full, too: power.fill_up(SQLITE_FULL, ENOSPC) refuses every write that makes a file larger, until power.make_room().
//
// A cut takes, for each file, what was synced and a seeded choice of the sectors written since. Truncations count as writes. One
// thread.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace weir::test {

class PowerLossVfs {
 public:
  explicit PowerLossVfs(unsigned seed) : random_(seed), below_(sqlite3_vfs_find(nullptr)), vfs_(*below_) {
    vfs_.zName = "power-loss";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + below_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.pAppData = this;
    vfs_.xOpen = [](sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
      return of(vfs).open(name, file, flags, out);
    };
    vfs_.xDelete = [](sqlite3_vfs* vfs, const char* name, int sync) {
      of(vfs).files_.erase(name);
      return of(vfs).below_->xDelete(of(vfs).below_, name, sync);
    };
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~PowerLossVfs() {
    restore();
    sqlite3_vfs_unregister(&vfs_);
  }
  PowerLossVfs(const PowerLossVfs&) = delete;

  // Databases opened later do without it; those that are open must be closed before it goes.
  void restore() { sqlite3_vfs_register(below_, 1); }

  // What SQLite's own layer would answer, and the system's number for it.
  void fill_up(int code, int error) { full_ = {code, error}; }
  void make_room() { full_ = {SQLITE_OK, 0}; }

  void cut_after(int writes) { left_ = writes; }
  [[nodiscard]] bool cut() const { return cut_; }

  // Writes the files of the cut into a folder, by their names.
  void leave(const std::filesystem::path& folder) const {
    for (const auto& [path, bytes] : image_) {
      std::ofstream(folder / std::filesystem::path(path).filename(), std::ios::binary) << bytes;
    }
  }

 private:
  static constexpr std::size_t kSector = 512;

  struct Write {
    std::uint64_t offset;
    std::string bytes;
    bool truncates;  // to `offset`
  };
  struct Contents {
    std::string synced;
    std::vector<Write> since;
  };
  struct File {
    sqlite3_file base;
    PowerLossVfs* vfs;
    std::string* path;  // null: not followed
    sqlite3_file* below;
  };

  static PowerLossVfs& of(sqlite3_vfs* vfs) { return *static_cast<PowerLossVfs*>(vfs->pAppData); }
  static File& as(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static sqlite3_file* below(sqlite3_file* file) { return as(file).below; }

  int open(const char* name, sqlite3_file* file, int flags, int* out) {
    File& mine = as(file);
    mine = {{nullptr}, this, nullptr, reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File))};
    const int code = below_->xOpen(below_, name, mine.below, flags, out);
    if (mine.below->pMethods == nullptr) return code;
    mine.base.pMethods = methods();
    if (code == SQLITE_OK && name != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0) {
      mine.path = new std::string(name);
      if (!files_.contains(name)) {
        std::ifstream there(name, std::ios::binary);
        files_[name].synced.assign(std::istreambuf_iterator<char>(there), {});
      }
    }
    return code;
  }

  void note(const std::string* path, Write write) {
    if (path == nullptr) return;
    files_[*path].since.push_back(std::move(write));
    if (left_ > 0 && --left_ == 0) take_image();
  }

  int refuse(sqlite3_file* file, sqlite3_int64 end) {
    sqlite3_int64 size = 0;
    if (full_.first == SQLITE_OK || (file->pMethods->xFileSize(file, &size) == SQLITE_OK && end <= size)) return SQLITE_OK;
    errno = full_.second;
    return full_.first;
  }

  void sync(const std::string* path) {
    if (path == nullptr) return;
    Contents& contents = files_[*path];
    for (const Write& write : contents.since) apply(contents.synced, write);
    contents.since.clear();
  }

  static void apply(std::string& bytes, const Write& write) {
    if (write.truncates) {
      bytes.resize(write.offset);
      return;
    }
    bytes.resize(std::max<std::size_t>(bytes.size(), write.offset + write.bytes.size()));
    bytes.replace(write.offset, write.bytes.size(), write.bytes);
  }

  void take_image() {
    cut_ = true;
    const unsigned mode = random_() % 5;
    for (const auto& [path, contents] : files_) {
      std::string& bytes = image_[path] = contents.synced;
      const std::size_t in_order = contents.since.empty() ? 0 : random_() % (contents.since.size() + 1);
      for (std::size_t i = 0; i < contents.since.size(); ++i) {
        const Write& write = contents.since[i];
        if (mode == 0 || (mode == 1 && i >= in_order)) continue;  // nothing arrived; the first ones did
        if (mode == 1 || write.truncates) {
          if (mode == 1 || random_() % 2 == 0) apply(bytes, write);
          continue;
        }
        // Sector by sector: half of them; nearly all; all but those of one write.
        for (std::size_t at = 0; at < write.bytes.size();) {
          const std::size_t size = std::min<std::size_t>(kSector - (write.offset + at) % kSector, write.bytes.size() - at);
          const bool lost = mode == 2 ? random_() % 2 == 0 : mode == 3 ? random_() % 16 == 0 : i == in_order;
          if (!lost) apply(bytes, {write.offset + at, write.bytes.substr(at, size), false});
          at += size;
        }
      }
    }
  }

  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods table = {
        .iVersion = 2,
        .xClose =
            [](sqlite3_file* file) {
              const int code = below(file)->pMethods->xClose(below(file));
              delete as(file).path;
              as(file).path = nullptr;
              return code;
            },
        .xRead = [](sqlite3_file* file, void* out, int size,
                    sqlite3_int64 at) { return below(file)->pMethods->xRead(below(file), out, size, at); },
        .xWrite =
            [](sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
              if (const int refused = as(file).vfs->refuse(below(file), at + size); refused != SQLITE_OK) return refused;
              const int code = below(file)->pMethods->xWrite(below(file), bytes, size, at);
              if (code == SQLITE_OK) {
                as(file).vfs->note(as(file).path,
                                   {static_cast<std::uint64_t>(at),
                                    std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size)), false});
              }
              return code;
            },
        .xTruncate =
            [](sqlite3_file* file, sqlite3_int64 size) {
              const int code = below(file)->pMethods->xTruncate(below(file), size);
              if (code == SQLITE_OK) as(file).vfs->note(as(file).path, {static_cast<std::uint64_t>(size), {}, true});
              return code;
            },
        // The real sync would only cost time.
        .xSync =
            [](sqlite3_file* file, int) {
              as(file).vfs->sync(as(file).path);
              return SQLITE_OK;
            },
        .xFileSize = [](sqlite3_file* file, sqlite3_int64* size) { return below(file)->pMethods->xFileSize(below(file), size); },
        .xLock = [](sqlite3_file* file, int level) { return below(file)->pMethods->xLock(below(file), level); },
        .xUnlock = [](sqlite3_file* file, int level) { return below(file)->pMethods->xUnlock(below(file), level); },
        .xCheckReservedLock = [](sqlite3_file* file,
                                 int* out) { return below(file)->pMethods->xCheckReservedLock(below(file), out); },
        .xFileControl = [](sqlite3_file* file, int op,
                           void* arg) { return below(file)->pMethods->xFileControl(below(file), op, arg); },
        .xSectorSize = [](sqlite3_file* file) { return below(file)->pMethods->xSectorSize(below(file)); },
        .xDeviceCharacteristics = [](sqlite3_file* file) { return below(file)->pMethods->xDeviceCharacteristics(below(file)); },
        .xShmMap = [](sqlite3_file* file, int page, int size, int extend,
                      void volatile** out) { return below(file)->pMethods->xShmMap(below(file), page, size, extend, out); },
        .xShmLock = [](sqlite3_file* file, int at, int n,
                       int flags) { return below(file)->pMethods->xShmLock(below(file), at, n, flags); },
        .xShmBarrier = [](sqlite3_file* file) { below(file)->pMethods->xShmBarrier(below(file)); },
        .xShmUnmap = [](sqlite3_file* file, int remove) { return below(file)->pMethods->xShmUnmap(below(file), remove); },
        .xFetch = nullptr,
        .xUnfetch = nullptr,
    };
    return &table;
  }

  std::mt19937 random_;
  sqlite3_vfs* below_;
  sqlite3_vfs vfs_;
  std::map<std::string, Contents, std::less<>> files_;
  std::map<std::string, std::string> image_;
  std::pair<int, int> full_{SQLITE_OK, 0};
  int left_ = 0;
  bool cut_ = false;
};

}  // namespace weir::test
