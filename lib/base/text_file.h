// Small files of configuration, read and replaced as a whole.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::base {

inline constexpr std::size_t kMostText = 1 << 20;  // bytes

// All that a descriptor gives. Errors: io ("cannot read NAME: …"), config when it is larger than `most` bytes, a number of MiB.
// `name` is what messages call the file.
Result<std::string> read_text(int fd, std::string_view name, std::size_t most = kMostText);

// The same of a file.
Result<std::string> read_text_file(const std::string& path, std::string_view name);

// The same of a file that replace_text_file() wrote; nothing but a regular file is opened (own_file.h).
Result<std::string> read_own_file(const std::string& path, std::string_view name);

// Writes a new file beside it (mode 0600) and renames that, so that a reader sees the old text or the new one, also after a power
// loss. A link is followed, and what is no regular file is left alone (own_file.h). Errors: io, full.
Result<void> replace_text_file(const std::string& path, std::string_view text);

}  // namespace weir::base
