#include "tail/start.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <memory>

namespace weir::tail {
namespace {

constexpr std::size_t kBlock = 64 << 10;
constexpr std::size_t kProbe = 16 << 10;

// Whether the line that begins at `text` is whole by itself: not a part that a later one goes on with.
bool closes(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto header = parse_cri(text.substr(0, text.find('\n')));
  return !header || !header->partial;
}

// Of the line that `text` begins with, where it has one. A docker line must be whole.
std::optional<base::Timestamp> time_of(std::string_view text) {
  const std::size_t newline = text.find('\n');
  if (const auto header = parse_cri(text.substr(0, newline))) return header->timestamp;
  if (text.empty() || text.front() != '{' || newline == std::string_view::npos) return std::nullopt;
  const auto line = parse_docker(text.substr(0, newline));
  return line ? std::optional(line->timestamp) : std::nullopt;
}

// A gzipped file cannot be read backwards: the starts of its last lines pass through a window.
base::Result<std::uint64_t> last_lines_forward(InputFile& file, std::uint64_t count) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBlock);
  std::deque<std::uint64_t> starts;
  std::uint64_t offset = 0, line = 0;
  while (true) {
    auto got = file.read(offset, buffer.get(), kBlock);
    if (!got) return std::move(got).error();
    if (*got == 0) break;
    for (const char* at = buffer.get(); at != nullptr && at < buffer.get() + *got;) {
      if (offset + static_cast<std::uint64_t>(at - buffer.get()) == line) {
        starts.push_back(line);
        if (starts.size() > count) starts.pop_front();
      }
      at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(buffer.get() + *got - at)));
      if (at != nullptr) line = offset + static_cast<std::uint64_t>(++at - buffer.get());
    }
    offset += *got;
  }
  return starts.empty() || count == 0 ? offset : starts.front();
}

}  // namespace

base::Result<std::uint64_t> offset_of_last_lines(InputFile& file, std::uint64_t count) {
  const std::uint64_t size = file.status().size;
  if (file.gzipped()) return last_lines_forward(file, count);
  if (count == 0) return size;
  // Backwards, block by block. A line is counted at its first byte; the answer is where the line behind the first one too many
  // begins, so that the parts before a counted CRI line come along.
  constexpr std::size_t kHeader = 128;  // of the block behind, for headers that a border cuts
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBlock + kHeader);
  std::uint64_t end = size, later = size, seen = 0;
  std::size_t filled = 0;
  while (end > 0) {
    const std::size_t want = std::min<std::uint64_t>(kBlock, end);
    const std::size_t kept = std::min(filled, kHeader);
    std::memmove(buffer.get() + want, buffer.get(), kept);
    auto got = file.read(end - want, buffer.get(), want);
    if (!got) return std::move(got).error();
    if (*got < want) return std::uint64_t{0};  // truncated meanwhile
    filled = want + kept;
    for (std::size_t at = want;; --at) {
      const std::uint64_t offset = end - want + at;
      const bool begins = offset == 0 || (at > 0 && buffer[at - 1] == '\n');
      if (begins && offset < size) {
        if (closes({buffer.get() + at, filled - at}) && ++seen > count) return later;
        later = offset;
      }
      if (at == 0) break;
    }
    end -= want;
  }
  return std::uint64_t{0};
}

// The size, or where the line begins that is not finished there.
base::Result<std::uint64_t> offset_of_end(InputFile& file) {
  if (file.gzipped()) return last_lines_forward(file, 0);
  const std::uint64_t size = file.status().size;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBlock);
  const std::uint64_t begin = size - std::min<std::uint64_t>(size, kBlock);
  auto got = file.read(begin, buffer.get(), size - begin);
  if (!got) return std::move(got).error();
  const std::size_t newline = std::string_view(buffer.get(), *got).rfind('\n');
  return newline == std::string_view::npos ? begin + (begin == 0 ? 0 : *got) : begin + newline + 1;
}

base::Result<std::uint64_t> offset_at_time(InputFile& file, base::Timestamp time) {
  const InputFile::Status status = file.status();
  if (file.gzipped()) return std::uint64_t{0};
  if (status.modified < time) return status.size;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kProbe);
  // Invariant: a line at or before `low` is older than `time` (or low is 0); the answer lies before `high`.
  std::uint64_t low = 0, high = status.size;
  while (high - low > 4 * kProbe) {
    const std::uint64_t middle = low + (high - low) / 2;
    auto got = file.read(middle, buffer.get(), kProbe);
    if (!got) return std::move(got).error();
    std::string_view text(buffer.get(), *got);
    std::optional<base::Timestamp> written;
    std::uint64_t at = middle;
    while (!written) {
      const std::size_t newline = text.find('\n');
      if (newline == std::string_view::npos) break;
      text.remove_prefix(newline + 1);
      at += newline + 1;
      written = time_of(text);
    }
    if (!written) break;  // no times here: what is known so far must do
    // A second of slack for lines that two streams wrote in disorder.
    if (*written + base::kSecond < time) {
      low = at;
    } else {
      high = middle;
    }
  }
  return low;
}

base::Result<std::uint64_t> offset_of_age(InputFile& file, base::Timestamp limit) {
  const InputFile::Status status = file.status();
  if (status.size == 0) return std::uint64_t{0};
  if (status.modified < limit - base::kMinute) return status.size;
  if (file.gzipped()) return std::uint64_t{0};
  const auto buffer = std::make_unique_for_overwrite<char[]>(kProbe);
  auto first = file.read(0, buffer.get(), kProbe);
  if (!first) return std::move(first).error();
  const auto begins = time_of({buffer.get(), *first});
  if (!begins || *begins >= limit) return std::uint64_t{0};
  auto found = offset_at_time(file, limit - base::kMinute);
  if (!found) return found;
  // Line by line from there. A line that does not fit is left to whoever reads it.
  std::uint64_t offset = *found;
  while (true) {
    auto got = file.read(offset, buffer.get(), kProbe);
    if (!got) return std::move(got).error();
    const std::string_view text(buffer.get(), *got);
    std::size_t used = 0;
    for (std::size_t newline = 0; (newline = text.find('\n', used)) != std::string_view::npos; used = newline + 1) {
      if (const auto written = time_of(text.substr(used)); !written || *written >= limit) return offset + used;
    }
    if (used == 0) return offset;
    offset += used;
  }
}

base::Result<std::uint64_t> start_offset(InputFile& file, const Start& start) {
  if (start.kind == Start::Kind::beginning) return std::uint64_t{0};
  std::array<char, 2> mark{};
  auto got = file.read(0, mark.data(), mark.size());
  if (!got) return std::move(got).error();
  if (is_utf16({mark.data(), *got})) return std::uint64_t{0};
  switch (start.kind) {
    case Start::Kind::beginning:
      return std::uint64_t{0};
    case Start::Kind::end:
      return offset_of_end(file);
    case Start::Kind::lines:
      return offset_of_last_lines(file, start.lines);
    case Start::Kind::time:
      return offset_at_time(file, start.time);
  }
  return std::uint64_t{0};
}

}  // namespace weir::tail
