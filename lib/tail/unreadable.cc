#include "tail/unreadable.h"

#include "base/count.h"

#include <fmt/format.h>

#include <cerrno>

namespace weir::tail {
namespace {

constexpr std::string_view kDefaultInput = "/var/log/pods";

}  // namespace

Cause Cause::of(const base::Error& error) { return {error.code, error.system, std::string(error.cause())}; }
Cause Cause::of_system(int error_number) { return of(base::io_error(error_number, "read it")); }

void Unreadable::add(std::string_view path, const Cause& cause) {
  Files& files = causes[cause.text];
  if (files.count++ > 0) return;
  files.cause = cause;
  files.first = path;
}

void Unreadable::add(const Unreadable& more) {
  for (const auto& [text, files] : more.causes) {
    const auto [known, first] = causes.try_emplace(text, files);
    if (!first) known->second.count += files.count;
  }
}

std::uint64_t Unreadable::count() const {
  std::uint64_t total = 0;
  for (const auto& [text, files] : causes) total += files.count;
  return total;
}

std::string message_of(const Unreadable::Files& files) {
  if (files.count == 1) return fmt::format("cannot read {}: {}", files.first, files.cause.text);
  return fmt::format("cannot read {}: {} (the first: {})", base::count_of(files.count, "file"), files.cause.text, files.first);
}

std::string_view hint_of(const Unreadable::Files& files) {
  if (files.cause.code == base::Code::forbidden) return kLeadsOutHint;
  switch (files.cause.system) {
    case EACCES:
      if (files.first.find("/journal") != std::string::npos) return "run as root, or as a member of the group systemd-journal";
      return "run as root, or give the process CAP_DAC_READ_SEARCH";
    case EMFILE:
      return "raise the limit of open files (ulimit -n)";
    case ENOENT:
      return files.first == kDefaultInput ? "name the file or folder to read: weir tail PATH" : "is the name right?";
    default:
      return {};
  }
}

}  // namespace weir::tail
