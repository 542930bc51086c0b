#include "sqlite/raw_file.h"

#include "sqlite/error.h"

#include <cstddef>
#include <filesystem>
#include <vector>

namespace weir::sqlite {

struct RawFile::State {
  const char* path = nullptr;  // in SQLite's form; the open file points to it
  std::vector<std::max_align_t> memory;

  [[nodiscard]] sqlite3_file* file() const { return reinterpret_cast<sqlite3_file*>(const_cast<std::max_align_t*>(memory.data())); }
  ~State() {
    if (!memory.empty() && file()->pMethods != nullptr) file()->pMethods->xClose(file());
    sqlite3_free_filename(const_cast<char*>(path));
  }
};

RawFile::RawFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
RawFile::RawFile(RawFile&&) noexcept = default;
RawFile& RawFile::operator=(RawFile&&) noexcept = default;
RawFile::~RawFile() = default;

base::Result<RawFile> RawFile::open(const std::string& path) {
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  auto state = std::make_unique<State>();
  // SQLite's system layer needs an absolute path.
  std::error_code error;
  const std::string whole = std::filesystem::absolute(path, error).string();
  state->path = sqlite3_create_filename(whole.c_str(), "", "", 0, nullptr);
  if (state->path == nullptr) return error_of(nullptr, SQLITE_NOMEM, "open", path);
  state->memory.resize(static_cast<std::size_t>(system->szOsFile) / sizeof(std::max_align_t) + 1);
  int flags = 0;
  const int code = system->xOpen(system, state->path, state->file(), SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, &flags);
  if (code != SQLITE_OK) return error_of(nullptr, code, "open", path);
  return RawFile(std::move(state));
}

std::uint64_t RawFile::size() const {
  sqlite3_int64 size = 0;
  return state_->file()->pMethods->xFileSize(state_->file(), &size) == SQLITE_OK ? static_cast<std::uint64_t>(size) : 0;
}

bool RawFile::read(std::uint64_t offset, char* out, std::size_t size) const {
  return state_->file()->pMethods->xRead(state_->file(), out, static_cast<int>(size), static_cast<sqlite3_int64>(offset)) ==
         SQLITE_OK;
}

}  // namespace weir::sqlite
