#include "tail/siblings.h"

#include "base/path.h"
#include "record/pod_path.h"
#include "tail/held_files.h"
#include "tail/pattern.h"
#include "tail/rotation.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

namespace weir::tail {
namespace {

using base::base_name;
using base::folder_of;
using base::join_path;
using record::live_name_of;

// Names change seldom; whoever renames them more often than this many attempts is not rotating logs.
constexpr int kAttempts = 64;
constexpr std::array<std::string_view, 6> kOtherCompressions = {".xz", ".zst", ".bz2", ".lz4", ".lzma", ".Z"};

struct Listed {
  std::string path;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  bool ordered = false, inner = false;
  friend bool operator==(const Listed&, const Listed&) = default;
};

// Without compressed copies of files that are there as well.
std::vector<Listed> list(const std::string& key, ListedFolder& folder) {
  std::vector<Listed> listed;
  const std::string target = resolve_log(key).target;
  std::vector<std::string> paths = rotations_of(key, folder);
  const std::size_t outer = paths.size();
  std::ranges::move(inner_rotations_of(key, folder), std::back_inserter(paths));
  const std::set<std::string_view> all(paths.begin(), paths.end());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string& path = paths[i];
    if (path.ends_with(".gz") && all.contains(std::string_view(path).substr(0, path.size() - 3))) continue;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const auto ordered = [&](const std::string& live) { return is_rotation_order(rotation_of(base_name(path), base_name(live))); };
    listed.push_back(
        {path, status.st_ino, status.st_dev, i < outer && (ordered(key) || (!target.empty() && ordered(target))), i >= outer});
  }
  return listed;
}

bool is_compressed_copy(InputFile& copy, const record::FileIdentity& of, std::uint64_t size) {
  if (!copy.gzipped() || !copy.holds_text_of(size)) return false;
  auto same = copy.is(of, true);
  return same && *same;
}

bool stands_before(InputFile& file, std::uint64_t offset, std::string_view before) {
  std::string bytes(before.size(), '\0');
  auto got = file.read(offset - before.size(), bytes.data(), bytes.size());
  return got && *got == before.size() && bytes == before;
}

}  // namespace

Siblings open_siblings(const std::string& key, const LogRoots* roots, HeldFiles* held, ListedFolder* listed_folder) {
  ListedFolder own;
  ListedFolder& folder = listed_folder == nullptr ? own : *listed_folder;
  Siblings siblings;
  std::vector<Listed> before = list(key, folder);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // What has kept its name stays open, so that an attempt costs no more than what has changed.
    const std::vector<Sibling> opened = std::exchange(siblings, {}).files;
    bool same = true;
    for (const Listed& listed : before) {
      const auto is_listed = [&](const InputFile& file) {
        return file.inode() == listed.inode && file.device() == listed.device && file.path() == listed.path;
      };
      if (const auto known =
              std::ranges::find_if(opened, is_listed, [](const Sibling& one) -> const InputFile& { return *one.file; });
          known != opened.end()) {
        siblings.files.push_back(*known);
        continue;
      }
      const auto other =
          std::ranges::find_if(kOtherCompressions, [&](std::string_view suffix) { return listed.path.ends_with(suffix); });
      if (other != kOtherCompressions.end()) {
        siblings.trouble = fmt::format("cannot read {}: of compressed files only .gz is read", listed.path);
        continue;
      }
      if (held != nullptr) held->make_room();
      auto file = InputFile::open(listed.path, roots);
      if (!file) {
        siblings.trouble = std::move(file).error().message;
        continue;  // if its name has changed, the next attempt finds it
      }
      same = same && is_listed(**file);
      siblings.files.push_back({std::move(file).value(), listed.ordered, listed.inner});
    }
    std::vector<Listed> after = list(key, folder);
    if (same && after == before) break;
    before = std::move(after);
  }
  return siblings;
}

std::size_t find_copy(const std::vector<Sibling>& siblings, const Trace& trace) {
  if (trace.head_size == 0) return siblings.size();
  for (std::size_t i = siblings.size(); i-- > 0;) {
    InputFile& file = *siblings[i].file;
    if (!file.gzipped() && file.status().size < trace.offset) continue;
    auto found = file.identify(trace.head_size, 0);
    if (!found || found->head_size != trace.head_size || found->head_hash != trace.head_hash) continue;
    if (stands_before(file, trace.offset, trace.before)) return i;
  }
  return siblings.size();
}

std::size_t find_file(const std::vector<Sibling>& siblings, InputFile& file) {
  const auto itself = std::ranges::find_if(
      siblings, [&](const Sibling& one) { return one.file->inode() == file.inode() && one.file->device() == file.device(); });
  if (itself != siblings.end()) return static_cast<std::size_t>(itself - siblings.begin());
  auto own = file.identify(record::kHeadBytes, 0);
  if (!own || own->head_size == 0) return siblings.size();
  const std::uint64_t size = file.status().size;
  for (std::size_t i = siblings.size(); i-- > 0;) {
    if (is_compressed_copy(*siblings[i].file, *own, size)) return i;
  }
  return siblings.size();
}

void order_alike(std::vector<Sibling>& siblings, std::size_t found) {
  if (found >= siblings.size() || !siblings[found].inner) return;
  const std::string shape = rotation_shape(base_name(siblings[found].file->path()));
  for (Sibling& one : siblings) one.ordered = one.ordered || (one.inner && rotation_shape(base_name(one.file->path())) == shape);
}

std::shared_ptr<InputFile> open_by_identity(const std::string& key, const record::FileIdentity& stored, const LogRoots* roots,
                                            ListedFolder& listed) {
  const std::string target = resolve_log(key).target;
  for (const std::string& live : {key, target}) {
    if (live.empty()) continue;
    const std::string folder(folder_of(live));
    for (const std::string& name : listed.names_of(folder, stored.inode)) {
      auto file = InputFile::open(join_path(folder, name), roots);
      if (!file) continue;
      if (auto same = (*file)->is(stored, false); same && *same) return std::move(file).value();
    }
  }
  return nullptr;
}

std::shared_ptr<InputFile> open_compressed_copy(InputFile& file, const LogRoots* roots) {
  const std::string_view live = live_name_of(base_name(file.path()));
  const std::string key = live.empty() ? file.path() : fmt::format("{}/{}", folder_of(file.path()), live);
  auto own = file.identify(record::kHeadBytes, 0);
  if (!own || own->head_size == 0) return nullptr;
  const std::uint64_t size = file.status().size;
  ListedFolder listed;
  std::vector<std::string> paths = rotations_of(key, listed);
  std::ranges::move(inner_rotations_of(key, listed), std::back_inserter(paths));
  for (auto at = paths.rbegin(); at != paths.rend(); ++at) {
    if (!at->ends_with(".gz")) continue;
    auto copy = InputFile::open(*at, roots);
    if (copy && is_compressed_copy(**copy, *own, size)) return std::move(copy).value();
  }
  return nullptr;
}

}  // namespace weir::tail
