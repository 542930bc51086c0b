// Which files cannot be read, and why. Gathered by cause, so that a thousand files with one cause are one message.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weir::tail {

// Where the text of a cause is needed in several places.
inline constexpr std::string_view kLeadsOutOfRoots = "a symbolic link leads out of the log folders";
inline constexpr std::string_view kLeadsOutHint =
    "name the folder it leads to with --log-root, or follow all links with --follow-links";
inline constexpr std::string_view kNotRegular = "not a regular file";

// Why a file cannot be read.
struct Cause {
  base::Code code = base::Code::io;  // Code::forbidden: a link leads where none may lead
  int system = 0;                    // errno; 0: no system call failed
  std::string text;                  // what stands behind the path in "cannot read PATH: CAUSE"

  [[nodiscard]] static Cause of(const base::Error& error);
  [[nodiscard]] static Cause of_system(int error_number);
  [[nodiscard]] static Cause leads_out() { return {base::Code::forbidden, 0, std::string(kLeadsOutOfRoots)}; }
};

struct Unreadable {
  struct Files {
    Cause cause;
    std::uint64_t count = 0;
    std::string first;  // the first such file
  };
  std::map<std::string, Files, std::less<>> causes;  // by the text of the cause

  void add(std::string_view path, const Cause& cause);
  void add(const Unreadable& more);
  [[nodiscard]] std::uint64_t count() const;
};

// "cannot read PATH: CAUSE", or how many files it is with the first of them. Paths are as they are: control bytes are to be
// escaped.
[[nodiscard]] std::string message_of(const Unreadable::Files& files);
// What the user can do; "" when there is nothing to say.
[[nodiscard]] std::string_view hint_of(const Unreadable::Files& files);

}  // namespace weir::tail
