#include "spool/damage.h"

#include "base/private_file.h"
#include "record/timestamp.h"
#include "spool/raw_pages.h"
#include "spool/reader.h"
#include "spool/spool_file.h"
#include "spool/stored_positions.h"
#include "spool/tables/consumers.h"
#include "spool/tables/requests.h"
#include "spool/tables/schema.h"
#include "spool/tables/transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weir::spool {
namespace {

constexpr std::string_view kMagic{"SQLite format 3\0", 16};

std::string note_path(const std::string& path) { return path + "-suspect"; }

bool exists(const std::string& path) {
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::uint64_t size_of(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool has_identity(std::string_view page) { return page.substr(68, 4) == "Weir"; }
bool has_tables(std::string_view page) { return page.find(create_statement("bodies")) != std::string_view::npos; }

// The first page as it lies in the file, "" when the file is shorter than a header.
std::string first_page(const std::string& path) {
  auto file = sqlite::RawFile::open(path);
  if (!file || file->size() < 100) return {};
  std::string page(std::min<std::uint64_t>(RawPages::kPageSize, file->size()), '\0');
  return file->read(0, page.data(), page.size()) ? page : std::string();
}

bool in_log(const std::string& path) {
  auto pages = RawPages::open(path);
  std::string page;
  return pages && pages->page(1, page) && (has_identity(page) || has_tables(page));
}

}  // namespace

base::Result<void> report_damaged_block(const std::string& path, std::uint64_t block, const base::Clock& clock) {
  auto file = open_for_consumer(path, base::kSecond);
  if (!file) return std::move(file).error();
  return request_set_aside(file->database, clock.wall(), block);
}

base::Result<bool> is_damaged(const std::string& path, std::uint64_t block) {
  auto reader = Reader::open(path, base::kSecond);
  if (!reader) return std::move(reader).error();
  record::Batch batch;
  auto loaded = (*reader)->load(block, {}, batch);
  if (!loaded && loaded.error().code != base::Code::corrupt) return std::move(loaded).error();
  return !loaded;
}

std::string damaged_path(const std::string& path, const base::Clock& clock, const std::string& reason) {
  std::string stamp = record::to_rfc3339(clock.wall()).substr(0, 19);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  const std::string name = fmt::format("{}.damaged-{}Z-{}", path, stamp, reason);
  std::string free = name;
  for (int i = 2; exists(free) || exists(free + "-wal"); ++i) free = fmt::format("{}-{}", name, i);
  return free;
}

base::Result<std::string> save_block(sqlite::Database& database, std::uint64_t block, const base::Clock& clock) {
  const std::string path = damaged_path(database.path(), clock, fmt::format("block-{}", block));
  const base::UniqueFd file = base::open_private(path, true);
  if (!file) return base::io_error(errno, fmt::format("create '{}'", path));
  if (auto done = save_block_rows(database, block, path); !done) {
    ::unlink(path.c_str());
    return std::move(done).error().within(fmt::format("cannot set block {} aside", block));
  }
  return path;
}

void mark_damaged(const std::string& path) { const base::UniqueFd note = base::open_private(note_path(path)); }

void unmark_damaged(const std::string& path) { ::unlink(note_path(path).c_str()); }

base::Result<void> check_undamaged(const std::string& path) {
  const auto damaged = [&path](std::string_view what) {
    return base::fail(base::Code::corrupt, "cannot read spool '{}': {}", path, what)
        .with_hint("the `weir buffer` that writes it saves what can be read when it starts");
  };
  if (exists(note_path(path)) && exists(path)) return damaged("it was found damaged while it was in use");
  if (!exists(path)) return {};
  const std::string log = path + "-wal";
  if (size_of(path) == 0)
    return size_of(log) > 0 && in_log(path) ? damaged("it is empty, but its write-ahead log is not") : base::Result<void>();
  std::string page = first_page(path);
  if (page.empty()) return {};
  // A page that was being copied out of the log when the power went is whole in the log.
  if (size_of(log) > 0) {
    if (auto pages = RawPages::open(path)) static_cast<void>(pages->page(1, page));
  }
  if (page.starts_with(kMagic)) {
    if (!has_identity(page)) return has_tables(page) ? damaged("its identity is missing") : base::Result<void>();
    // Page size, versions of reading and writing, no reserved bytes, fixed fractions, and UTF-8: with others SQLite would refuse to
    // write, or read something else.
    const bool form = page.substr(16, 2) == std::string_view("\x10\0", 2) && (page[18] == 1 || page[18] == 2) &&
                      page[19] == page[18] && page[20] == 0 && page.substr(21, 3) == "\x40\x20\x20" &&
                      page.substr(56, 4) == std::string_view("\0\0\0\1", 4);
    return form ? base::Result<void>() : damaged("its header is damaged");
  }
  return is_spool(path) ? damaged("its first page is damaged") : base::Result<void>();
}

bool is_spool(const std::string& path) {
  const std::string page = first_page(path);
  if (!page.empty() && (has_identity(page) || has_tables(page))) return true;
  if (page.size() == RawPages::kPageSize && page.find_first_not_of('\0') == std::string::npos) return true;
  return size_of(path + "-wal") > 0 && in_log(path);
}

base::Result<void> check_small(sqlite::Database& database, const std::string& path) {
  if (auto same = check_schema(database); !same) return same;
  // Not the bodies, which are nearly all of the file: each has its checksum.
  for (const char* table : {"blocks", "consumers", "meta", "positions", "released", "requests"}) {
    auto check = database.prepare(fmt::format("PRAGMA quick_check('{}')", table));
    if (!check) return std::move(check).error();
    auto found = check->step();
    if (!found) return std::move(found).error();
    if (check->text(0) != "ok")
      return base::fail(base::Code::corrupt, "cannot use '{}': its table '{}' is damaged ({})", path, table, check->text(0));
  }
  if (auto consumers = read_consumers(database); !consumers) return std::move(consumers).error();
  Keeper keeper(path);
  return load_positions(database, keeper);
}

}  // namespace weir::spool
