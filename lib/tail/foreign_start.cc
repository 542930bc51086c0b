#include "tail/foreign_start.h"

#include "tail/format.h"
#include "tail/held_files.h"
#include "tail/siblings.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace weir::tail {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kLongestLine = 1 << 20;  // that is looked through for its start
constexpr std::size_t kHead = 4096;            // that is looked at for the time of the first line

std::optional<base::Timestamp> time_of_first_line(InputFile& file) {
  std::string head(kHead, '\0');
  auto got = file.read(0, head.data(), head.size());
  if (!got) return std::nullopt;
  std::string_view text = std::string_view(head).substr(0, *got);
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text = text.substr(0, text.find('\n'));
  if (const auto cri = parse_cri(text)) return cri->timestamp;
  if (const auto docker = parse_docker(text)) return docker->timestamp;
  return std::nullopt;
}

// The newest of `files`, oldest first, that had begun at `when`.
std::size_t newest_begun(const std::vector<std::shared_ptr<InputFile>>& files, base::Timestamp when) {
  std::size_t newest = kNone;
  bool written_since = false;  // an older one was written to after `when`
  for (std::size_t i = 0; i < files.size(); ++i) {
    InputFile& file = *files[i];
    const auto first = time_of_first_line(file);
    const base::Timestamp born = file.gzipped() ? 0 : file.born(), modified = file.status().modified;
    bool begun = (first && *first <= when) || (born != 0 && born <= when) || modified <= when;
    // Only its end is known: the first that ended later is the one that was live, or the next one.
    if (!begun && !first && born == 0) begun = !written_since;
    if (begun) newest = i;
    written_since = written_since || modified > when;
  }
  return newest;
}

bool reaches(InputFile& file, std::uint64_t offset) {
  char last = 0;
  if (offset == 0) return true;
  auto got = file.read(offset - 1, &last, 1);
  return got && *got == 1;
}

bool fits(InputFile& file, std::uint64_t offset) {
  char last = 0;
  if (offset == 0) return true;
  auto got = file.read(offset - 1, &last, 1);
  return got && *got == 1 && last == '\n';
}

// The start of the line in which `offset` stands.
std::uint64_t start_of_line(InputFile& file, std::uint64_t offset) {
  const std::uint64_t from = offset - std::min<std::uint64_t>(offset, kLongestLine);
  std::string text(offset - from, '\0');
  auto got = file.read(from, text.data(), text.size());
  if (!got || *got < text.size()) return offset;
  const std::size_t newline = text.rfind('\n');
  if (newline != std::string::npos) return from + newline + 1;
  return from == 0 ? 0 : offset;
}

}  // namespace

record::LogPosition foreign_start(const LogReader& reader, const std::shared_ptr<InputFile>& live, const ForeignPosition& position,
                                  ListedFolder* listed) {
  std::vector<std::shared_ptr<InputFile>> files;
  for (Sibling& one : open_siblings(reader.key(), reader.roots(), reader.held(), listed).files) {
    const bool is_live = one.file->inode() == live->inode() && one.file->device() == live->device();
    if (one.ordered && !is_live) files.push_back(std::move(one.file));
  }
  files.push_back(live);

  const std::size_t begun = newest_begun(files, position.written);
  std::size_t at = begun;
  while (at != kNone && !fits(*files[at], position.offset)) at = at == 0 ? kNone : at - 1;
  std::uint64_t offset = position.offset;
  if (at == kNone && begun != kNone && reaches(*files[begun], offset)) {
    at = begun;
    offset = start_of_line(*files[at], offset);
  }

  record::LogPosition start;
  if (at != kNone) {
    auto identity = files[at]->identify(record::kHeadBytes, offset);
    if (identity) {
      start.generations.push_back({.number = 1, .file = *std::move(identity), .end = offset});
      start.resume = start.end[0] = start.end[1] = {1, offset};
      return start;
    }
    // It cannot be read: its reader says so.
  }
  // What was read to its end stands before what is gone.
  if (begun != kNone && begun > 0) {
    if (auto identity = files[begun - 1]->identify(record::kHeadBytes, 0))
      start.finished.push_back({.number = 1, .file = *std::move(identity), .done = true});
  }
  record::Generation gone = {.number = 2, .end = offset};
  gone.file.path = reader.key();
  gone.file.head_hash = record::kEmptyHash;
  gone.file.check_end = offset;
  start.generations.push_back(std::move(gone));
  start.resume = {2, offset};
  return start;
}

std::string foreign_loss(InputFile& live, const ForeignPosition& position) {
  if (live.gzipped() || live.status().size >= position.offset) return {};
  return fmt::format("the file is shorter than that ({} bytes): it was rotated or truncated, and is read from its start",
                     live.status().size);
}

std::vector<std::string_view> open_parts(std::string_view text, bool at_start) {
  std::array<std::vector<std::string_view>, 2> open;
  if (!at_start) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    const auto header = parse_cri(line.substr(0, line.size() - 1));
    if (!header || header->stream == Stream::none) continue;
    std::vector<std::string_view>& parts = open[static_cast<std::size_t>(header->stream)];
    if (header->partial)
      parts.push_back(line);
    else
      parts.clear();
  }
  std::vector<std::string_view> all = std::move(open[0]);
  all.insert(all.end(), open[1].begin(), open[1].end());
  std::ranges::sort(all, {}, [](std::string_view part) { return part.data(); });
  return all;
}

}  // namespace weir::tail
