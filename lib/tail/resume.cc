#include "tail/resume.h"

#include "base/path.h"
#include "tail/pattern.h"
#include "tail/rotation.h"
#include "tail/siblings.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

namespace weir::tail {
namespace {

using base::base_name;

using record::FileIdentity;
using record::LogPosition;

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr auto kAnyTime = std::numeric_limits<base::Timestamp>::min();

// The files of a log that are there now, oldest first, the live one last.
struct Chain {
  std::vector<Sibling> files;
  const InputFile* live = nullptr;
  std::size_t next = 0;  // those before it are older than what was found, or handed over
};

// Up to where the generation was read: its records there are safe, however far back a line began that is still open.
std::uint64_t read_up_to(const LogPosition& position, const record::Generation& generation) {
  std::uint64_t end = generation.number == position.resume.generation ? position.resume.offset : 0;
  for (const record::Place& place : position.end) {
    if (place.generation == generation.number) end = std::max(end, place.offset);
  }
  return end;
}

bool reaches(InputFile& file, std::uint64_t offset) {
  if (offset == 0) return true;
  if (!file.gzipped()) return file.status().size >= offset;
  char last = 0;
  auto got = file.read(offset - 1, &last, 1);
  return !got || *got == 1;  // its reader reports a damaged one
}

// The file that `stored` describes: the same inode before a copy, and one that reaches to `end` and to where it was last checked
// before one that was cut or truncated, of which only the head can be compared. A file that cannot be read matches nothing.
std::size_t find(const Chain& chain, const FileIdentity& stored, std::uint64_t end) {
  std::size_t shorter = kNone;
  for (const bool by_content : {false, true}) {
    for (std::size_t i = chain.next; i < chain.files.size(); ++i) {
      InputFile& file = *chain.files[i].file;
      if (auto same = file.is(stored, by_content); !same || !*same) continue;
      if (reaches(file, std::max(end, stored.check_end))) return i;
      if (shorter == kNone) shorter = i;
    }
  }
  return shorter;
}

bool describes(InputFile& file, const FileIdentity& stored) {
  auto same = file.is(stored, false);
  return same && *same;
}

// Whether the text of the file is CRI: each of its lines has a time, and nobody truncates such a file.
bool is_cri(InputFile& file) {
  std::string head(512, '\0');
  auto got = file.read(0, head.data(), head.size());
  return got && detect_format(std::string_view(head).substr(0, *got)) == Format::cri;
}

// A live file may have been rotated since it was opened. Then it stands among its siblings, and those that are newer will come by
// themselves, from the one who opened it.
void add_live(Chain& chain, std::shared_ptr<InputFile> live) {
  std::vector<Sibling>& files = chain.files;
  struct stat status {};
  if (::stat(live->path().c_str(), &status) != 0 || status.st_ino != live->inode()) files.resize(find_file(files, *live));
  std::erase_if(files,
                [&](const Sibling& one) { return one.file->inode() == live->inode() && one.file->device() == live->device(); });
  files.push_back({std::move(live), true});
}

// Where among the files a generation belongs that has no name of a rotation: behind what is known to be older, or was last
// written before it was created, and behind copies of it.
std::size_t place_of(const Chain& chain, InputFile& moved, const record::Generation& generation, const LogPosition& position) {
  const base::Timestamp born = moved.born();
  const auto is_older = [&](InputFile& file) {
    const auto was = [&](const record::Generation& known) {
      if (known.number > generation.number || known.file.head_size == 0) return false;
      auto same = file.is(known.file, true);
      return same && *same;
    };
    return file.status().modified <= born || was(generation) || std::ranges::any_of(position.finished, was);
  };
  std::size_t at = chain.next;
  for (std::size_t i = chain.next; i < chain.files.size(); ++i) {
    if (chain.files[i].ordered && chain.files[i].file.get() != chain.live && is_older(*chain.files[i].file)) at = i + 1;
  }
  return at;
}

// Who gave the handles sees by them how far each file is read. What is left of them has no name among the log's rotations.
void use_handles(std::vector<Sibling>& files, std::vector<std::shared_ptr<InputFile>>& handles) {
  std::erase_if(handles, [&](const std::shared_ptr<InputFile>& handle) {
    const auto same = std::ranges::find_if(
        files, [&](const Sibling& one) { return one.file->inode() == handle->inode() && one.file->device() == handle->device(); });
    if (same == files.end()) return false;
    same->file = handle;
    return true;
  });
}

std::size_t index_of(const std::vector<Sibling>& files, const OpenFile& file) {
  const auto same = std::ranges::find_if(
      files, [&](const Sibling& one) { return one.file->inode() == file.inode && one.file->device() == file.device; });
  return same == files.end() ? kNone : static_cast<std::size_t>(same - files.begin());
}

// What the former tail had open and no name leads to takes its place among the files that are there: in front of the file that it
// had next, or behind the one it had before. Where neither is there, times must do. Those that were adopted, and how the last that
// could not be failed.
struct Adopted {
  std::vector<const InputFile*> files;
  std::string trouble;
};
Adopted add_left(Chain& chain, const OtherFiles& others, const LogPosition& position, const LogRoots* roots,
                 const std::function<void()>& make_room) {
  Adopted adopted;
  std::size_t before = kNone;  // the file that the former tail had before
  for (std::size_t i = 0; i < others.left.size(); ++i) {
    const OpenFile& left = *others.left[i];
    if (const std::size_t at = index_of(chain.files, left); at != kNone) {
      before = at;
      continue;
    }
    const auto is_it = [&](const auto& file) { return file->inode() == left.inode && file->device() == left.device; };
    if (!left.fd || std::ranges::any_of(others.moved, is_it)) continue;
    make_room();
    auto file = InputFile::adopt(left, roots);
    if (!file) {
      adopted.trouble = std::move(file).error().message;
      continue;
    }
    std::size_t at = before == kNone ? kNone : before + 1;
    for (std::size_t next = i + 1; next < others.left.size(); ++next) {
      if (const std::size_t known = index_of(chain.files, *others.left[next]); known != kNone) {
        at = known;
        break;
      }
    }
    if (at == kNone) {
      const record::Generation newest{.number = std::numeric_limits<std::uint32_t>::max()};
      const std::size_t older = chain.live == nullptr ? chain.files.size() : chain.files.size() - 1;
      at = (*file)->born() == 0 ? older : place_of(chain, **file, newest, position);
    }
    adopted.files.push_back(file->get());
    chain.files.insert(chain.files.begin() + static_cast<std::ptrdiff_t>(at), {std::move(file).value(), true});
    before = at;
  }
  return adopted;
}

// From that of `resume` on, oldest first. Behind a line that is open since long there may be finished ones: they are read again, up
// to where it ends, and what is not new is discarded by the keeper.
std::vector<record::Generation> to_be_read(const LogPosition& position) {
  std::vector<record::Generation> generations;
  for (const auto* list : {&position.finished, &position.generations}) {
    std::ranges::copy_if(*list, std::back_inserter(generations),
                         [&](const record::Generation& one) { return one.number >= position.resume.generation; });
  }
  std::ranges::sort(generations, {}, &record::Generation::number);
  return generations;
}

// Whether a line was open when the generation of `position.resume`, now finished, was read to its end.
bool left_open(const LogPosition& position) {
  return std::ranges::any_of(position.end, [&](const record::Place& end) { return end > position.resume; });
}

// Whether an inner rotation is no name of another log: server-1.log may be a second server's, server.1.log and a date are not.
bool is_sure(std::string_view rotation, std::string_view path) {
  constexpr std::ptrdiff_t kDigitsOfADate = 6;
  if (std::ranges::count_if(rotation, [](char c) { return c >= '0' && c <= '9'; }) >= kDigitsOfADate) return true;
  return rotation.data() > path.data() && rotation.data()[-1] == '.';
}

// A generation that was found and is read, and where the reader keeps what of it is safe.
struct Added {
  const record::Generation* generation;
  std::array<std::uint64_t, 2>* safe;
};

// Where the latest safe record is one of a generation that was found behind another, everything in that is safe. Numbers alone do
// not say which is earlier: a file that was forgotten and came back has a higher number than the live one.
void set_safe(const std::vector<Added>& added, const LogPosition& position) {
  for (const Added& one : added) {
    for (std::size_t i = 0; i < one.safe->size(); ++i) {
      const record::Place& place = position.end[i];
      const auto is_it = [&](const Added& other) { return other.generation->number == place.generation; };
      if (place.generation == one.generation->number)
        (*one.safe)[i] = place.offset;
      else if (place.generation > one.generation->number && (one.generation->done || std::ranges::any_of(added, is_it)))
        (*one.safe)[i] = std::numeric_limits<std::uint64_t>::max();
    }
  }
}

void add_found(LogReader& reader, std::vector<Added>& added, const record::Generation& generation, std::shared_ptr<InputFile> file,
               std::uint64_t offset, std::uint64_t end) {
  if (reaches(*file, end)) {
    reader.add_file(std::move(file), offset, kAnyTime, generation.file);
    added.push_back({&generation, &reader.safe_ends()});
  } else if (is_cri(*file)) {
    reader.add_cut(std::move(file), offset, end, generation.file);
    added.push_back({&generation, &reader.safe_ends()});
  } else {
    reader.add_ended(generation.file);  // truncated, and begun again
    reader.add_file(std::move(file));
  }
}

}  // namespace

bool resume(LogReader& reader, const LogPosition& position, std::shared_ptr<InputFile> live,
            const std::function<bool(std::string_view)>& followed, OtherFiles others, ListedFolder* listed) {
  HeldFiles* const held = reader.held();
  ListedFolder own;
  ListedFolder& folder = listed == nullptr ? own : *listed;
  Siblings siblings = open_siblings(reader.key(), reader.roots(), held, &folder);
  // The live file may be parked, and is opened again to be compared.
  const auto make_room = [&] {
    if (held != nullptr) held->make_room();
  };
  make_room();
  Chain chain;
  chain.files = std::move(siblings.files);
  chain.live = live.get();
  if (live != nullptr) add_live(chain, std::move(live));
  use_handles(chain.files, others.moved);
  const Adopted adopted = add_left(chain, others, position, reader.roots(), make_room);
  const bool new_log = position.generations.empty() && position.finished.empty();
  for (const auto& left : others.left) {
    const std::size_t at = new_log ? index_of(chain.files, *left) : kNone;
    if (at == kNone) continue;
    chain.next = at;  // the oldest of them that is there, also where that is the first file
    break;
  }
  const auto has_name = [&](const std::shared_ptr<InputFile>& file) {
    return std::ranges::find(adopted.files, file.get()) == adopted.files.end();
  };
  const std::string& trouble = siblings.trouble.empty() ? adopted.trouble : siblings.trouble;
  const std::string cause = trouble.empty()
                                ? (others.lost_cause.empty() ? "the file is gone" : others.lost_cause)
                                : fmt::format("the file was not found, and one of the same log could not be read: {}", trouble);

  for (const auto* list : {&position.finished, &position.generations}) {
    for (const record::Generation& known : *list) reader.add_used(known.file.inode);
  }
  bool found_one = false, there = false;
  std::shared_ptr<InputFile> latest;
  const std::vector<record::Generation> wanted = to_be_read(position);
  std::vector<Added> added;
  for (const record::Generation& generation : wanted) {
    const bool first = generation.number == position.resume.generation;
    const std::uint64_t offset = first ? position.resume.offset : 0;
    const std::uint64_t end = read_up_to(position, generation);
    const bool abandoned = offset >= LogReader::kAbandoned;
    // What was abandoned without a head is known by its inode alone, which means nothing.
    std::size_t at = abandoned && generation.file.head_size == 0 ? kNone : find(chain, generation.file, abandoned ? 0 : end);
    if (at == kNone || !describes(*chain.files[at].file, generation.file)) {
      // A copy beside the log is less than the file itself.
      const auto is_it = [&](const auto& file) { return generation.file.head_size > 0 && describes(*file, generation.file); };
      const auto moved = std::ranges::find_if(others.moved, is_it);
      if (moved != others.moved.end()) {
        at = place_of(chain, **moved, generation, position);
        chain.files.insert(chain.files.begin() + static_cast<std::ptrdiff_t>(at), {std::move(*moved), true});
        others.moved.erase(moved);
      }
    }
    if (at == kNone && generation.file.head_size > 0 && !(latest != nullptr && describes(*latest, generation.file))) {
      // Under a name that says nothing (mv app.log before.log).
      make_room();
      if (auto moved = open_by_identity(reader.key(), generation.file, reader.roots(), folder)) {
        at = place_of(chain, *moved, generation, position);
        chain.files.insert(chain.files.begin() + static_cast<std::ptrdiff_t>(at), {std::move(moved), true});
      }
    }
    if (at != kNone) {
      order_alike(chain.files, at);
      for (; found_one && chain.next < at; ++chain.next) {
        if (!chain.files[chain.next].ordered) continue;
        there = there || has_name(chain.files[chain.next].file);
        reader.add_file(std::move(chain.files[chain.next].file));
      }
      chain.next = at + 1;
      found_one = true;
      there = there || has_name(chain.files[at].file);
      latest = chain.files[at].file;
    } else if (latest != nullptr && describes(*latest, generation.file)) {
      continue;  // what goes on in a file that was cut: the reader comes to it
    }
    if (abandoned) {
      if (offset < LogReader::kReportedLost)
        reader.add_lost(generation.file, offset, "reading it was given up");
      else
        reader.add_ended(generation.file);
    } else if (at != kNone) {
      add_found(reader, added, generation, std::move(chain.files[at].file), offset, end);
    } else if (generation.file.head_size == 0 && offset == 0) {
      reader.add_ended(generation.file);  // it was empty when it was last seen
    } else if (!generation.done || (first && left_open(position))) {
      reader.add_lost(generation.file, offset, cause);
    } else if (first) {
      reader.add_ended(generation.file);
    }
  }
  set_safe(added, position);
  if (!found_one) {
    // What was read before is not read again, though nothing goes on from it.
    for (auto older = position.finished.rbegin(); older != position.finished.rend(); ++older) {
      if (older->file.head_size == 0) continue;
      if (const std::size_t at = find(chain, older->file, 0); at != kNone) {
        order_alike(chain.files, at);
        chain.next = at + 1;
        break;
      }
    }
  }
  if (!found_one && followed) {
    for (Sibling& one : chain.files) {
      const std::string& path = one.file->path();
      if (one.inner && !followed(path) && is_sure(inner_rotation_of(base_name(path), base_name(reader.key())), path))
        one.ordered = true;
    }
  }
  for (; chain.next < chain.files.size(); ++chain.next) {
    if (!chain.files[chain.next].ordered) continue;
    std::shared_ptr<InputFile>& file = chain.files[chain.next].file;
    const std::uint64_t offset = file.get() == chain.live ? others.live_offset : 0;
    there = there || has_name(file);
    reader.add_file(std::move(file), offset);
  }
  return there;
}

}  // namespace weir::tail
