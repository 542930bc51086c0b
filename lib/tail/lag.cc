#include "tail/lag.h"

#include "base/access.h"
#include "tail/resume.h"
#include "tail/start.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

namespace weir::tail {
namespace {

constexpr std::size_t kProbe = 64 << 10;  // bytes that are searched for the first unread line

// Of the first whole line of a text that stands at `offset` of its file.
struct First {
  bool found = false;
  base::Timestamp time = 0;  // 0: the line has none
};

First first_line(std::string_view text, std::uint64_t offset, const SafeEnds& safe) {
  for (std::size_t newline = 0; (newline = text.find('\n')) != std::string_view::npos;) {
    const std::string_view line = text.substr(0, newline);
    offset += newline + 1;
    text.remove_prefix(newline + 1);
    const auto header = parse_cri(line);
    if (header && header->partial) continue;
    if (offset <= safe[header && header->stream == Stream::standard_error ? 1 : 0]) continue;
    if (header) return {true, header->timestamp};
    const auto docker = line.starts_with('{') ? parse_docker(line) : std::nullopt;
    return {true, docker ? docker->timestamp : 0};
  }
  return {};
}

void add_first(Lag& lag, InputFile& file, std::uint64_t offset, std::uint64_t unread, const SafeEnds& safe) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kProbe);
  // Only at its start does a compressed file show its lines without work.
  const bool readable = !file.gzipped() || offset == 0;
  std::size_t got = 0;
  if (readable) {
    auto read = file.read(offset, buffer.get(), std::min<std::uint64_t>(kProbe, unread));
    if (!read) {
      lag.trouble = std::move(read).error().message;
      return;
    }
    got = *read;
  }
  const First first = first_line({buffer.get(), got}, offset, safe);
  // What fits and has no whole line is open; longer than that, it is a line all the same.
  if (readable && !first.found && got >= unread) return;
  lag.by_file = first.time == 0;
  lag.oldest = lag.by_file ? file.status().modified : first.time;
}

// A file that a stored position speaks of may hold more substreams than one, of which each has its own end.
SafeEnds safe_ends(const record::LogPosition& position) {
  SafeEnds safe{};
  for (std::size_t i = 0; i < safe.size(); ++i) {
    const record::Place& end = position.end[i];
    if (end.generation == position.resume.generation) safe[i] = end.offset;
    if (end.generation > position.resume.generation) safe[i] = std::numeric_limits<std::uint64_t>::max();
  }
  return safe;
}

}  // namespace

Lag lag_of(const LogReader& reader, const SafeEnds& safe) {
  Lag lag;
  bool first = true;
  for (const LogReader::Unread& part : reader.unread()) {
    const SafeEnds ends = std::exchange(first, false) ? safe : SafeEnds{};
    if (part.file == nullptr) {
      ++lag.gone;
      continue;
    }
    const std::uint64_t size = part.file->text_size();
    if (size <= part.offset) continue;
    lag.bytes += size - part.offset;
    ++lag.files;
    if (lag.oldest == 0 && lag.trouble.empty()) add_first(lag, *part.file, part.offset, size - part.offset, ends);
  }
  return lag;
}

Lag lag_of(const std::string& key, const record::LogPosition& position, const base::Clock& clock, ListedFolder* listed) {
  Lag lag;
  std::shared_ptr<InputFile> live;
  auto opened = InputFile::open(key);
  if (opened) {
    live = std::move(opened).value();
  } else if (base::may_access(key, F_OK) || (errno != ENOENT && errno != ENOTDIR)) {
    lag.trouble = std::move(opened).error().message;
    return lag;
  }
  ReadOptions options;
  ReadStats stats;
  LogReader reader(0, key, options, stats, clock);
  resume(reader, position, std::move(live), {}, {}, listed);
  return lag_of(reader, safe_ends(position));
}

}  // namespace weir::tail
