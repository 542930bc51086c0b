// Files that have several names: hard links, one folder under two paths, rotated files whose names are those of logs as well.
//
// A log knows the file it has and, as `formers`, those that it had: the last few, and each that has another name that is looked at,
// its `aliases`. A name that leads to one of them is an alias of that log and no log of its own, whatever became of the log since:
// with its reader finished it is kept for them. An alias that is deleted or renamed is dropped, and found again under its next
// name.
//
// Who writes on to a file when its log is done with it (mv app.log other.log, and the writer goes on) sets it free: its alias
// becomes a log, which begins where reading ended. The positions of a log name only its last few finished files, so an older
// one that has such a name is set free, too: then it has a position of its own.
//
// After a restart nothing is known but positions. A file that they call another log's is a `claim`, settled when all folders were
// looked at. One that is to be read is given to that log: with its first file, or as its latest where it has none under its own
// name. One that was finished is an alias of it, or is set free where something was added to it or the log is no more. An older
// or a later rotation beside one that they know is a claim by its name.
#include "base/path.h"
#include "record/pod_path.h"
#include "tail/rotation.h"
#include "tail/siblings.h"
#include "tail/watch_machine.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace weir::tail {
namespace {

using base::base_name;
using base::folder_of;
using base::join_path;
using record::parse_pod_path;

constexpr std::size_t kFormersKept = 4;
constexpr std::int64_t kSurelyStored = 6;  // newer files of a log; a keeper knows the last eight that are finished

}  // namespace

bool WatchMachine::has_or_had(const Log& log, InputFile& file) {
  const auto is_same = [&](const std::shared_ptr<InputFile>& opened, std::uint32_t head_size, std::uint64_t head_hash,
                           base::Timestamp born) {
    if (opened != nullptr && !opened->given_up() && !opened->parked()) return true;  // what is open keeps its inode
    if (born != 0) {
      if (const base::Timestamp now = file.born(); now != 0) return now == born;
    }
    if (head_size == 0) return false;
    auto found = file.identify(head_size, 0);
    return found && found->head_size == head_size && found->head_hash == head_hash;
  };
  const auto has_number = [&](const auto& one) { return one.inode == file.inode() && one.device == file.device(); };
  if (has_number(log)) {
    const auto latest = log.file.lock();
    if (latest != nullptr && !latest->given_up() && !latest->parked()) return true;
    const auto own = latest != nullptr ? latest->identify(record::kHeadBytes, 0) : record::FileIdentity();
    if (own && is_same(latest, own->head_size, own->head_hash, log.born)) return true;
  }
  const auto is_one = [&](const auto& one, const std::shared_ptr<InputFile>& opened) {
    return has_number(one) && is_same(opened, one.head_size, one.head_hash, one.born);
  };
  return std::ranges::any_of(log.formers, [&](const Former& one) { return is_one(one, one.file.lock()); }) ||
         std::ranges::any_of(log.aliases, [&](const Alias& one) { return is_one(one, nullptr); });
}

std::uint32_t WatchMachine::owner_of(InputFile& file, std::uint32_t number) {
  const auto [first, last] = by_inode.equal_range(file.inode());
  for (auto at = first; at != last; ++at) {
    if (at->second != number && has_or_had(logs.at(at->second), file)) return at->second;
  }
  return 0;
}

void WatchMachine::remember(std::uint32_t number, Log& log, const std::shared_ptr<InputFile>& file) {
  if (file == nullptr || file->gzipped()) return;
  const bool known =
      std::ranges::any_of(log.formers, [&](const Former& one) { return one.inode == file->inode() && one.file.lock() == file; });
  if (known) return;
  if (file->parked()) held.make_room();
  file->set_rotated();
  auto identity = file->identify(record::kHeadBytes, 0);
  if (!identity) return;
  log.formers.push_back({.inode = file->inode(),
                         .device = file->device(),
                         .head_size = identity->head_size,
                         .head_hash = identity->head_hash,
                         .born = file->born(),
                         .file = file,
                         .place = file->place_kept(),
                         .at = ++log.generations});
  by_inode.emplace(file->inode(), number);
  if (log.formers.size() <= kFormersKept) return;
  if (!log.aliases.empty() && (ageing.empty() || ageing.back() != number)) ageing.push_back(number);
  // What was renamed just now has no alias yet.
  const auto recent = log.formers.end() - static_cast<std::ptrdiff_t>(kFormersKept);
  const auto oldest = std::find_if(log.formers.begin(), recent, [&](const Former& former) {
    return !former.awaits_rename &&
           std::ranges::none_of(log.aliases, [&](const Alias& alias) { return alias.inode == former.inode; });
  });
  if (oldest == recent) return;
  unremember(oldest->inode, number);
  log.formers.erase(oldest);
}

void WatchMachine::unremember(std::uint64_t inode, std::uint32_t number) {
  const auto [first, last] = by_inode.equal_range(inode);
  const auto entry = std::find_if(first, last, [&](const auto& one) { return one.second == number; });
  if (entry != last) by_inode.erase(entry);
}

void WatchMachine::become_alias(std::uint32_t number, std::uint32_t owner, InputFile& file) {
  Log& log = logs.at(number);
  if (const auto folder = folders.find(folder_of(log.path)); folder != folders.end())
    add_alias(*folder->second, base_name(log.path), owner, file);
  if (log.inode == 0) return remove_new(number);
  log.files.forget_one();
  if (!log.missing) lose(number);
  log.missing = true;
}

void WatchMachine::remove_new(std::uint32_t number) {
  const auto log = logs.find(number);
  disown(log->second, number);
  by_key.erase(log->second.key);
  logs.erase(log);
}

void WatchMachine::add_alias(Folder& folder, std::string_view name, std::uint32_t owner, InputFile& file) {
  Log& log = logs.at(owner);
  for (const Alias& known : log.aliases) {
    if (known.folder == folder.path && known.name == name && known.inode == file.inode()) return;
  }
  drop_alias(folder, name);
  const auto identity = file.identify(record::kHeadBytes, 0);
  log.aliases.push_back({folder.path, std::string(name), file.inode(), file.device(), identity ? identity->head_size : 0,
                         identity ? identity->head_hash : record::kEmptyHash, file.born()});
  folder.aliases.emplace(name, owner);
  watch_written(folder);
}

bool WatchMachine::is_alias(Folder& folder, std::string_view name) {
  const auto known = folder.aliases.find(name);
  if (known == folder.aliases.end()) return false;
  struct stat status {};
  if (::stat(join_path(folder.path, name).c_str(), &status) == 0) {
    for (const Alias& alias : logs.at(known->second).aliases) {
      if (alias.folder == folder.path && alias.name == name && alias.inode == status.st_ino && alias.device == status.st_dev)
        return true;
    }
  }
  drop_alias(folder, name);
  return false;
}

void WatchMachine::drop_alias(Folder& folder, std::string_view name) {
  const auto known = folder.aliases.find(name);
  if (known == folder.aliases.end()) return;
  const std::uint32_t owner = known->second;
  folder.aliases.erase(known);
  Log& log = logs.at(owner);
  const auto alias =
      std::ranges::find_if(log.aliases, [&](const Alias& one) { return one.folder == folder.path && one.name == name; });
  if (alias != log.aliases.end()) log.aliases.erase(alias);
  if (log.finished && log.aliases.empty()) retiring.push_back(owner);
}

// Not at once: what was renamed is an alias again as soon as its new name was seen.
void WatchMachine::drop_retired() {
  for (const std::uint32_t number : std::exchange(retiring, {})) {
    if (const auto log = logs.find(number); log != logs.end() && log->second.finished) forget(number);
  }
}

void WatchMachine::moved(std::uint32_t number, Folder& folder, std::string_view name) {
  const auto known = logs.find(number);
  struct stat status {};
  const std::string path = join_path(folder.path, name);
  if (known == logs.end() || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  Log& log = known->second;
  // Catch_up() finds it by its name.
  if (is_rotation_order(rotation_of(name, base_name(log.target.empty() ? log.path : log.target)))) return;
  const auto has_number = [&](const auto& one) { return one.inode == status.st_ino && one.device == status.st_dev; };
  if (has_number(log)) {
    log.renamed = true;
    return;
  }
  if (const auto former = std::ranges::find_if(log.formers, has_number); former != log.formers.end()) {
    former->awaits_rename = false;
    return;
  }
  auto opened = open(path);
  if (!opened || owner_of(**opened, 0) != 0) return;
  const std::shared_ptr<InputFile> file = std::move(opened).value();
  held.add(file);
  count_opened(log, 1);
  remember(number, log, file);
  // Events come in the order of the renames, and files are opened under the live name in their order, which may be far ahead of the
  // events.
  const auto comes_later = [&](const Changes::Event& event) {
    if (event.log != number || event.file == nullptr) return false;
    if (!log.renamed && event.file == log.file.lock()) return true;
    return std::ranges::any_of(log.formers, [&](const Former& one) { return one.awaits_rename && one.file.lock() == event.file; });
  };
  news.events.insert(std::ranges::find_if(news.events, comes_later), {number, log.key, file, false});
}

void WatchMachine::alias_written(Folder& folder, std::string_view name) {
  const auto alias = folder.aliases.find(name);
  if (alias == folder.aliases.end()) return;
  const std::uint32_t owner = alias->second;
  changed(owner);
  Log& log = logs.at(owner);
  struct stat status {};
  const auto former = std::ranges::find_if(log.formers, [&](const Former& one) {
    return one.file.expired() && one.place != nullptr && ::stat(join_path(folder.path, name).c_str(), &status) == 0 &&
           one.inode == status.st_ino;
  });
  if (former == log.formers.end()) return;
  const std::uint64_t place = former->place->load(std::memory_order_relaxed);
  if (static_cast<std::uint64_t>(status.st_size) > place) set_free(owner, join_path(folder.path, name), former->inode, place);
}

bool WatchMachine::set_free(std::uint32_t owner, const std::string& path, std::uint64_t inode, std::uint64_t offset) {
  const auto folder = folders.find(folder_of(path));
  auto opened = open(path);
  if (folder == folders.end() || !opened || (*opened)->inode() != inode) return false;
  std::shared_ptr<InputFile> file = std::move(opened).value();
  const auto [known, added] = by_key.try_emplace(path, last_log + 1);
  const std::uint32_t number = known->second;
  // A log that has the name and another file, or none: it goes on in this one.
  if (!added && (number == owner || !logs.at(number).missing)) return false;
  if (added) ++last_log;
  Log& log = logs[number];
  if (added) log.key = log.path = path;
  own(*folder->second, base_name(path), number);
  std::vector<Alias> names;
  if (owner != 0) {
    Log& former_log = logs.at(owner);
    const auto is_it = [&](const auto& one) { return one.inode == inode && one.device == file->device(); };
    std::ranges::copy_if(former_log.aliases, std::back_inserter(names), is_it);
    for (const Alias& alias : names) {
      if (const auto of = folders.find(alias.folder); of != folders.end()) drop_alias(*of->second, alias.name);
    }
    if (const auto former = std::ranges::find_if(former_log.formers, is_it); former != former_log.formers.end()) {
      former_log.formers.erase(former);
      unremember(inode, owner);
    }
  }
  take(number, log, file);
  news.events.push_back({.log = number, .key = path, .file = file, .offset = offset});
  for (const Alias& alias : names) {
    const auto of = folders.find(alias.folder);
    if (of != folders.end() && join_path(alias.folder, alias.name) != path) add_alias(*of->second, alias.name, number, *file);
  }
  return true;
}

void WatchMachine::set_old_ones_free() {
  for (const std::uint32_t number : std::exchange(ageing, {})) {
    const auto found = logs.find(number);
    if (found == logs.end()) continue;
    Log& log = found->second;
    // A rotation that keeps the extension is known by the newer ones beside it (rotations_read_with).
    const auto known_by_name = [&](const Alias& alias) {
      return alias.folder == folder_of(log.key) && !parse_pod_path(log.key) &&
             !inner_rotation_of(alias.name, base_name(log.key)).empty();
    };
    struct Old {
      std::string path;
      std::uint64_t inode = 0, place = 0;
    };
    std::vector<Old> old;
    bool reading = false;
    for (const Former& former : log.formers) {
      if (log.generations - former.at < kSurelyStored) continue;
      const auto is_its = [&](const Alias& one) { return one.inode == former.inode && one.device == former.device; };
      const auto alias = std::ranges::find_if(log.aliases, is_its);
      if (alias == log.aliases.end() || known_by_name(*alias)) continue;
      reading = reading || !former.file.expired();
      if (!former.file.expired()) continue;
      old.push_back({join_path(alias->folder, alias->name), former.inode, former.place->load(std::memory_order_relaxed)});
    }
    for (const Old& one : old) set_free(number, one.path, one.inode, one.place);
    if (reading) ageing.push_back(number);
  }
}

void WatchMachine::check_aliases(Folder& folder) {
  std::vector<std::string> names;
  for (const auto& [name, owner] : folder.aliases) names.push_back(name);
  for (const std::string& name : names) {
    if (is_alias(folder, name)) alias_written(folder, name);
  }
}

bool WatchMachine::claimed(const Log& log, InputFile& file) {
  const auto follows = [&](std::string_view key) {
    return std::ranges::any_of(asked, [&](const Pattern& pattern) { return names(pattern, key); }) && wants_file(selection, key);
  };
  const std::string folder(folder_of(log.path)), name(base_name(log.path));
  const KnownFiles::Owner owner = positioned.owner(file);
  if (owner.log == log.key) return false;
  if (!owner.log.empty()) {
    if (!follows(owner.log)) return false;
    claims.push_back({folder, name, std::string(owner.log), owner});
    return true;
  }
  // server-2.log may be a rotation of server.log that nobody saw.
  for (std::size_t at = name.find_first_of("-._"); at != std::string::npos; at = name.find_first_of("-._", at + 1)) {
    const std::size_t dot = name.rfind('.');
    const std::string live = join_path(folder, name.substr(0, at) + (dot == std::string::npos ? "" : name.substr(dot)));
    if (at == 0 || live == log.key || !positioned.has_log(live) || !follows(live)) continue;
    const std::vector<Rotation>& read = rotations_read_with(live);
    const auto rotation = std::ranges::find(read, log.path, &Rotation::path);
    if (rotation == read.end()) continue;
    claims.push_back({folder, name, live, {.to_be_read = rotation->to_be_read}});
    return true;
  }
  return false;
}

auto WatchMachine::rotations_read_with(const std::string& live) -> const std::vector<Rotation>& {
  const auto [found, added] = rotations_read.try_emplace(live);
  if (!added) return found->second;
  const std::vector<std::string> paths = inner_rotations_of(live, listed);
  std::vector<FoundRotation> all;
  for (const std::string& path : paths) {
    FoundRotation& one = all.emplace_back();
    auto file = open(path);
    if (!file) continue;
    const KnownFiles::Owner owner = positioned.owner(**file);
    one = {rotation_shape(base_name(path)), (*file)->status().modified, owner.log == live, owner.to_be_read};
    if (!owner.log.empty() && !one.known) one.shape.clear();
  }
  const std::vector<RotationVerdict> verdicts = judge_rotations(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (verdicts[i] != RotationVerdict::another) found->second.push_back({paths[i], verdicts[i] == RotationVerdict::to_be_read});
  }
  return found->second;
}

void WatchMachine::settle_claims() {
  rotations_read.clear();
  if (claims.empty()) return;
  std::vector<Claim> all = std::exchange(claims, {});
  // The latest of each log first: where the log has no file under its own name, that is its live one.
  std::ranges::stable_sort(all, std::greater(), [](const Claim& claim) { return claim.known.generation; });
  for (const Claim& claim : all) settle(claim);
}

void WatchMachine::settle(const Claim& claim) {
  const auto folder = folders.find(claim.folder);
  const std::string path = join_path(claim.folder, claim.name);
  if (folder == folders.end()) return;
  auto opened = open(path);
  if (!opened) return;
  const std::shared_ptr<InputFile> file = std::move(opened).value();
  if (const std::uint32_t owner = owner_of(*file, 0); owner != 0) return add_alias(*folder->second, claim.name, owner, *file);
  const bool by_name = claim.known.log.empty();
  const std::uint64_t size = file->status().size, end = by_name ? size : claim.known.end;
  const auto found = by_key.find(claim.log);
  const bool has_file = found != by_key.end() && logs.at(found->second).inode != 0;
  if (is_free({claim.known.gone, claim.known.to_be_read, has_file, size > end})) {
    set_free(0, path, file->inode(), end);
    return;
  }
  const std::uint32_t number = found != by_key.end() ? found->second : ++last_log;
  by_key.emplace(claim.log, number);
  Log& log = logs[number];
  if (log.key.empty()) {
    log.key = log.path = claim.log;
    const auto own_folder = folders.find(folder_of(claim.log));
    if (own_folder != folders.end()) own(*own_folder->second, base_name(claim.log), number);
  }
  file->set_place(end);   // unless its reader says otherwise
  bool too_late = false;  // its log was reported, and reports it lost
  if (!has_file) {
    take(number, log, file);
    news.events.push_back({number, log.key, file, initial});
    lose(number);
    log.missing = true;
  } else {
    const auto is_its = [&](const Changes::Event& event) { return event.log == number && event.file != nullptr; };
    const auto first = std::ranges::find_if(news.events, is_its);
    remember(number, log, file);
    if (!log.formers.empty() && log.formers.back().inode == file->inode()) log.formers.back().at -= claim.known.newer;
    if (claim.known.to_be_read && first != news.events.end())
      first->moved.push_back(file);
    else
      too_late = claim.known.to_be_read;
  }
  add_alias(*folder->second, claim.name, number, *file);
  if (too_late && size > end) set_free(number, path, file->inode(), end);
  ageing.push_back(number);
}

}  // namespace weir::tail
