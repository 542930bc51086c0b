#include "tail/journal_files.h"

#include "base/hex.h"
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace weir::tail {
namespace {

constexpr std::string_view kSignature = "LPKSHHRH";
constexpr std::size_t kStateAt = 16, kFileIdAt = 24, kIdAt = 72, kIdSize = 16, kTailAt = 160, kHeadAt = 168;
constexpr unsigned char kOnline = 1, kClosed = 2;
constexpr const char* kMachineId = "/etc/machine-id";

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string hexadecimal(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

bool is_machine(std::string_view name) { return name.size() == 32 && std::ranges::all_of(name, base::is_hex_digit); }

bool is_journal(std::string_view name) { return name.ends_with(".journal") || name.ends_with(".journal~"); }

// The path of the file that is written where `path` was written before.
std::string live_path_of(const std::string& path) {
  const std::size_t name = path.rfind('/') + 1;
  const std::size_t at = path.find('@', name);
  if (at != std::string::npos) return path.substr(0, at) + ".journal";
  return path.ends_with('~') ? path.substr(0, path.size() - 1) : path;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::optional<JournalHead> read_head(int fd) {
  std::array<char, JournalHead::kSize> bytes;
  const ssize_t size = ::pread(fd, bytes.data(), bytes.size(), 0);
  if (size < 0) return std::nullopt;
  return parse_journal_head({bytes.data(), static_cast<std::size_t>(size)});
}

std::string this_machine(const std::string& system) {
  std::string id;
  std::ifstream file(system + kMachineId);
  file >> id;
  return is_machine(id) ? id : std::string(32, '-');
}

}  // namespace

std::optional<JournalHead> parse_journal_head(std::string_view bytes) {
  if (bytes.size() < JournalHead::kSize || !bytes.starts_with(kSignature)) return std::nullopt;
  JournalHead head;
  head.file_id = hexadecimal(bytes.substr(kFileIdAt, kIdSize));
  head.id = hexadecimal(bytes.substr(kIdAt, kIdSize));
  head.tail = little_endian(bytes.substr(kTailAt, 8));
  head.head = little_endian(bytes.substr(kHeadAt, 8));
  head.closed = static_cast<unsigned char>(bytes[kStateAt]) == kClosed;
  head.online = static_cast<unsigned char>(bytes[kStateAt]) == kOnline;
  if (head.head > head.tail) return std::nullopt;
  return head;
}

JournalFiles::JournalFiles(const JournalOptions& options, const std::string& system) : options_(&options) {
  if (!options.folder.empty()) {
    std::string path = options.folder;
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    roots_.push_back(std::move(path));
    return;
  }
  machine_ = this_machine(system);
  roots_ = {system + "/var/log/journal", system + "/run/log/journal"};
}

base::Result<void> JournalFiles::watch() {
  watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!watch_) return base::io_error(errno, "watch the journal");
  return {};
}

void JournalFiles::watch_folder(const std::string& folder) {
  if (!watch_) return;
  constexpr std::uint32_t kChanges =
      IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;
  if (::inotify_add_watch(watch_.get(), folder.c_str(), kChanges) >= 0 || errno != ENOENT) return;
  const std::string above = folder_of(folder);
  ::inotify_add_watch(watch_.get(), above.empty() ? "/" : above.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

bool JournalFiles::take_changes() {
  bool found = incomplete_;
  alignas(inotify_event) std::array<char, 16384> buffer;
  while (true) {
    const ssize_t size = ::read(watch_.get(), buffer.data(), buffer.size());
    if (size <= 0) return found;
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if ((event.mask & IN_MODIFY) == 0) found = true;
      at += static_cast<ssize_t>(sizeof event) + event.len;
    }
  }
}

void JournalFiles::scan() {
  incomplete_ = false;
  complete_ = true;
  folders_.clear();
  above_.clear();
  for (const auto& file : files_) file->there = false;
  for (const std::string& root : roots_) {
    watch_folder(root);
    scan_folder(root, true);
  }
  std::erase_if(files_, [](const auto& file) { return !file->there && !file->fd; });
}

// `machines`: also the folders of machines in it.
void JournalFiles::scan_folder(const std::string& folder, bool machines) {
  DIR* const entries = ::opendir(folder.c_str());
  if (entries == nullptr) {
    const int error = errno;
    const bool absent = error == ENOENT || error == ENOTDIR;
    complete_ = complete_ && absent;
    if (absent && (options_->folder.empty() || watch_)) return;
    if (trouble_.try_emplace(folder, std::strerror(error)).second) unreadable_.add(folder, Cause::of_system(error));
    return;
  }
  std::vector<std::string> files, below;
  while (const dirent* const entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (is_journal(name)) {
      files.emplace_back(name);
    } else if (machines && is_machine(name) && (machine_.empty() || name == machine_)) {
      below.emplace_back(name);
    }
  }
  ::closedir(entries);
  const bool own = !machines || !options_->folder.empty();
  if (own) folders_.push_back(folder);
  if (machines) above_.push_back(folder);
  std::ranges::sort(files);
  std::ranges::sort(below);
  if (own) {
    for (const std::string& name : files) add(folder + "/" + name);
  }
  for (const std::string& name : below) {
    const std::string path = folder + "/" + name;
    watch_folder(path);
    scan_folder(path, false);
  }
}

void JournalFiles::add(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto known =
      std::ranges::find_if(files_, [&](const auto& file) { return file->inode == status.st_ino && file->device == status.st_dev; });
  const auto keep = [&](JournalFile& file) {
    file.path = path;
    file.there = true;
    file.crashed = path.ends_with('~');
  };
  if (known != files_.end() && (*known)->fd) {
    refresh(**known);
    return keep(**known);
  }
  auto file = std::make_shared<JournalFile>();
  file->fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file->fd) {
    if (errno == ENOENT) return;
    complete_ = false;
    if (trouble_.try_emplace(path, std::strerror(errno)).second) unreadable_.add(path, Cause::of_system(errno));
    return;
  }
  file->path = path;
  file->device = status.st_dev;
  file->inode = status.st_ino;
  if (!refresh(*file)) {
    // Its writer may be about to fill it.
    const bool young = static_cast<std::size_t>(status.st_size) < JournalHead::kSize;
    incomplete_ = incomplete_ || watch_;
    if (young && (status.st_size == 0 || watch_)) return;
    const Cause cause{base::Code::corrupt, 0, "it is damaged, or no journal file"};
    if (trouble_.try_emplace(path, cause.text).second) unreadable_.add(path, cause);
    return;
  }
  trouble_.erase(path);
  if (known != files_.end()) {
    if ((*known)->file_id == file->file_id) return keep(**known);
    files_.erase(known);  // another file has its inode
  }
  files_.push_back(std::move(file));
}

bool JournalFiles::refresh(JournalFile& file) {
  const auto head = read_head(file.fd.get());
  if (!head) return false;
  file.file_id = head->file_id;
  file.id = head->id;
  file.head = head->head;
  file.tail = head->tail;
  file.closed = head->closed;
  // The state stands in front of the tail. So it is read again: what was the tail before that is whole, where nobody writes then.
  file.writing = head->online;
  if (!head->online && !head->closed) {
    const auto again = read_head(file.fd.get());
    file.writing = !again || again->online;
  }
  file.crashed = file.path.ends_with('~');
  return true;
}

bool JournalFiles::has_ended(std::string_view id) const {
  for (const auto& file : files_) {
    if (file->id != id || !file->there) continue;
    const std::string live = live_path_of(file->path);
    const auto writes = std::ranges::find_if(files_, [&](const auto& other) { return other->there && other->path == live; });
    if (writes == files_.end() || (*writes)->id == id) return false;
  }
  return true;
}

bool JournalFiles::looks_into(std::string_view folder) const {
  if (std::ranges::none_of(files_, [](const auto& file) { return file->there; })) return false;
  if (std::ranges::find(folders_, folder) != folders_.end()) return true;
  const std::string_view name = folder.substr(folder.rfind('/') + 1);
  if (!is_machine(name) || (!machine_.empty() && name != machine_)) return false;
  const std::string_view above = folder.substr(0, folder.size() - name.size() - 1);
  if (std::ranges::find(above_, above) == above_.end()) return false;
  struct stat status {};
  return ::stat(std::string(folder).c_str(), &status) != 0 && errno == ENOENT;
}

std::string JournalFiles::places() const {
  std::string text;
  for (const std::string& root : roots_) text += (text.empty() ? "" : " or ") + root;
  return text;
}

Unreadable JournalFiles::take_unreadable() { return std::exchange(unreadable_, {}); }

}  // namespace weir::tail
