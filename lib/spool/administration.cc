#include "spool/administration.h"

#include "spool/lock_file.h"
#include "spool/raw_pages.h"
#include "spool/spool_file.h"
#include "spool/tables/consumers.h"
#include "spool/tables/requests.h"
#include "spool/writer.h"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>

namespace weir::spool {
namespace {

using base::Code;
using base::Result;

constexpr base::Duration kBusy = 30 * base::kSecond;
constexpr int kAskAgain = 100;  // ms

std::uint64_t size_of(const std::string& path) {
  std::uint64_t size = 0;
  for (const char* suffix : {"", "-wal"}) {
    struct stat status = {};
    if (::stat((path + suffix).c_str(), &status) == 0) size += static_cast<std::uint64_t>(status.st_size);
  }
  return size;
}

// Follows a compaction by the pages that are still unused, whoever gives them back.
class UnusedPages {
 public:
  UnusedPages(sqlite::Database& database, const std::string& path, const Watch& watch)
      : database_(database), path_(path), watch_(watch) {}

  Result<void> tell() {
    if (!watch_) return {};
    auto left = database_.integer("PRAGMA freelist_count");
    if (!left) return std::move(left).error();
    const auto unused = static_cast<std::uint64_t>(std::max<std::int64_t>(0, *left));
    all_ = std::max(all_, unused);
    if (watch_((all_ - unused) * RawPages::kPageSize, all_ * RawPages::kPageSize)) return {};
    return base::fail(Code::interrupted, "cannot compact spool '{}' to the end: interrupted", path_)
        .with_hint("what was given back stays given back; the spool is whole");
  }

 private:
  sqlite::Database& database_;
  const std::string& path_;
  const Watch& watch_;
  std::uint64_t all_ = 0;
};

Result<Compacted> compact_here(const std::string& path, const base::Clock& clock, Compacted sizes, UnusedPages& unused) {
  WriterOptions options;
  options.path = path;
  options.wait = 0;
  auto writer = Writer::open(options, clock, nullptr);
  if (!writer) return std::move(writer).error();
  while (true) {
    if (auto told = unused.tell(); !told) return std::move(told).error();
    auto more = (*writer)->compact();
    if (!more) return std::move(more).error();
    if (!*more) break;
  }
  if (auto closed = (*writer)->close(); !closed) return std::move(closed).error();
  sizes.after = size_of(path);
  return sizes;
}

}  // namespace

Result<void> forget_consumer(const std::string& wanted, const std::string& name, const base::Clock& clock) {
  const std::string path = real_path(wanted);
  auto file = open_for_consumer(path, kBusy);
  if (!file) return std::move(file).error();
  auto known = consumer_names(file->database);
  if (!known) return std::move(known).error();
  if (std::ranges::find(*known, name) == known->end()) {
    std::string names;
    for (const std::string& one : *known) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", one);
    return base::fail(Code::usage, "cannot forget consumer '{}' of spool '{}': nobody has registered that name", name, path)
        .with_hint(names.empty() ? "it has no consumers" : "its consumers: " + names);
  }
  auto lock =
      LockFile::take(consumer_lock_path(path, name), fmt::format("consumer '{}' of spool '{}'", name, path), 0, clock, nullptr);
  if (!lock) {
    base::Error error = std::move(lock).error();
    if (error.code != Code::busy) return error;
    return std::move(error).with_hint("end that process first: it goes on acknowledging under this name");
  }
  return delete_consumer(file->database, name);
}

Result<Compacted> compact(const std::string& wanted, base::Duration wait, const base::Clock& clock, const Watch& watch) {
  const std::string path = real_path(wanted);
  // Opened first: it must be there, ours, and of this format.
  auto file = open_for_consumer(path, kBusy);
  if (!file) return std::move(file).error();
  Compacted sizes{.before = size_of(path), .after = 0, .by_writer = false};
  UnusedPages unused(file->database, path, watch);
  if (!is_locked(writer_lock_path(path))) {
    auto done = compact_here(path, clock, sizes, unused);
    if (done || done.error().code != Code::busy) return done;
  }
  auto request = request_compaction(file->database, clock.wall());
  if (!request) return std::move(request).error();
  const base::Monotonic deadline = base::after(clock.monotonic(), wait);
  while (true) {
    auto waiting = has_request(file->database, *request);
    if (!waiting) return std::move(waiting).error();
    if (!*waiting) break;
    if (auto told = unused.tell(); !told) return std::move(told).error();
    if (clock.monotonic() >= deadline) {
      return base::fail(Code::busy, "cannot compact spool '{}' yet: the process that writes it has not done so", path)
          .with_hint("it compacts the spool as soon as it can; check the size later");
    }
    ::poll(nullptr, 0, kAskAgain);
  }
  sizes.after = size_of(path);
  sizes.by_writer = true;
  return sizes;
}

}  // namespace weir::spool
