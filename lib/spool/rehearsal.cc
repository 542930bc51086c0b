#include "spool/rehearsal.h"

#include "base/access.h"
#include "spool/spool_file.h"

#include <fmt/format.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace weir::spool {
namespace {

using base::Code;
using base::Result;

std::string folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

// The last folder is made by a start, those above are not.
Result<void> check_folder(const std::string& path) {
  std::string folder = folder_of(path);
  if (!base::may_access(folder, F_OK) && errno == ENOENT) folder = folder_of(folder);
  if (base::may_access(folder, W_OK | X_OK)) return {};
  const int error = errno;
  return base::io_error(error, fmt::format("make the spool '{}'", path))
      .with_hint(error == ENOENT ? fmt::format("make the folder first: mkdir -p '{}'", folder_of(path))
                                 : fmt::format("the folder {} cannot be written", folder));
}

// Whoever works on it at this moment is no obstacle, and a damaged one is set aside by its writer.
Result<void> forgive(Result<void> trouble) {
  return !trouble && (trouble.error().code == Code::busy || trouble.error().code == Code::corrupt) ? Result<void>()
                                                                                                   : std::move(trouble);
}

Result<bool> is_there(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT) return false;
  return base::io_error(errno, fmt::format("open spool '{}'", path));
}

Result<void> check_contents(const std::string& path) {
  auto file = open_for_reading(path, 0);
  return file ? Result<void>() : Result<void>(std::move(file).error());
}

}  // namespace

Result<void> rehearse_writing(const std::string& wanted) {
  const std::string path = real_path(wanted);
  if (auto ok = check_kind(path); !ok) return ok;
  const auto there = is_there(path);
  if (!there) return there.error();
  if (!*there) return check_folder(path);
  if (!base::may_access(path, R_OK | W_OK)) return base::io_error(errno, fmt::format("open spool '{}'", path));
  return forgive(check_contents(path));
}

Result<void> rehearse_reading(const std::string& wanted) {
  const std::string path = real_path(wanted);
  const auto there = is_there(path);
  if (!there) return there.error();
  if (!*there) return base::io_error(ENOENT, fmt::format("open spool '{}'", path));
  auto checked = check_contents(path);
  return !checked && checked.error().code == Code::busy ? Result<void>() : std::move(checked);
}

}  // namespace weir::spool
