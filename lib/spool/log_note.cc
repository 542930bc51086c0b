#include "spool/log_note.h"

#include "base/count.h"
#include "spool/checksum.h"
#include "spool/tables/blocks.h"
#include "spool/wire.h"
#include "sqlite/raw_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace weir::spool {
namespace {

// A page of a b-tree is a header, pointers that grow upwards, free space, and cells that grow downwards.
constexpr std::size_t kPage = 4096;
constexpr std::size_t kAt = 512;
constexpr std::string_view kMagic = "weir log";
constexpr std::size_t kSize = 5 * 8;  // magic, row, records, time, checksum

std::size_t big16(std::string_view page, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(page[at])) << 8 | static_cast<unsigned char>(page[at + 1]);
}

// Whether the place of the note is free in this first page.
bool is_free(std::string_view page) {
  constexpr std::size_t kHead = 100;
  if (!page.starts_with("SQLite format 3")) return false;
  const char type = page[kHead];
  if (type != 0x0d && type != 0x05) return false;
  const std::size_t pointers = kHead + (type == 0x05 ? 12 : 8) + 2 * big16(page, kHead + 3);
  const std::size_t cells = big16(page, kHead + 5);
  return pointers <= kAt && cells >= kAt + kSize && cells <= kPage;
}

}  // namespace

void leave_note(int fd, const LogNote& note) {
  std::array<char, kPage> page{};
  if (::pread(fd, page.data(), page.size(), 0) != static_cast<ssize_t>(page.size()) || !is_free({page.data(), page.size()})) return;
  std::string text(kMagic);
  wire::put_word(text, note.row);
  wire::put_word(text, note.records);
  wire::put_word(text, static_cast<std::uint64_t>(note.time));
  wire::put_word(text, xxh64(text, 0));
  if (::pwrite(fd, text.data(), text.size(), kAt) < 0) return;  // then less is known of a copy
}

std::optional<LogNote> read_note(const std::string& path) {
  // Not by a descriptor of ours: closing it would drop SQLite's locks.
  auto file = sqlite::RawFile::open(path);
  std::string text(kSize, '\0');
  if (!file || !file->read(kAt, text.data(), text.size())) return std::nullopt;
  wire::Cursor cursor(text);
  if (cursor.take(kMagic.size()) != kMagic) return std::nullopt;
  LogNote note{.row = cursor.word(), .records = cursor.word(), .time = static_cast<base::Timestamp>(cursor.word())};
  if (cursor.word() != xxh64(std::string_view(text).substr(0, kSize - 8), 0)) return std::nullopt;
  return note;
}

base::Result<std::optional<MissingLog>> find_missing(sqlite::Database& database, const std::optional<LogNote>& note) {
  if (!note) return std::optional<MissingLog>();
  auto row = newest_row(database);
  if (!row) return std::move(row).error();
  if (*row >= note->row) return std::optional<MissingLog>();
  auto records = count_records(database);
  if (!records) return std::move(records).error();
  return std::optional<MissingLog>({*records, note->records, note->time});
}

std::string describe(const std::string& path, const MissingLog& missing) {
  struct stat status = {};
  const std::string log = path + "-wal";
  const bool there = ::stat(log.c_str(), &status) == 0 && status.st_size > 0;
  return fmt::format("{}: '{}' holds {} of the {} that the spool had at {}",
                     there ? fmt::format("'{}' is not the write-ahead log of this file, or not all of it", log)
                           : fmt::format("its write-ahead log '{}' is missing", log),
                     path, base::grouped(missing.records), base::count_of(missing.records_known, "record"),
                     record::to_rfc3339(missing.until));
}

}  // namespace weir::spool
