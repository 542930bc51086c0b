// Files of rules: read them, and edit them so that readers see the old text or the new one, never a part.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <functional>
#include <string>
#include <string_view>

namespace weir::rules {

// The whole file, which may also be a pipe. Errors: Code::io with the system's number (ENOENT: there is no such file), Code::config
// when it has more than kMostTextBytes.
base::Result<std::string> read_file(const std::string& path);

// Gets the text of a file and returns the one that replaces it. Called again when somebody else changed the file meanwhile.
using Edit = std::function<base::Result<std::string>(std::string_view text)>;

// Replaces the text of a file by rename(2), under a lock on its folder (flock(2)), so that two edits at once both take effect. A
// symbolic link is followed and stays. Owner, group and mode stay as they are; extended attributes are not kept. The new text is on
// the disk when this returns. A text that stays the same is not written.
//
// Errors: those of `edit`; those of read_file(); Code::io with what to do instead where the file cannot be written, and of a file
// that a kubelet mounted (a ConfigMap); Code::busy when the lock is not free within `patience`, or when the file keeps changing.
base::Result<void> edit_file(const std::string& path, const Edit& edit, base::Duration patience = 10 * base::kSecond);

// Whether the caller of `weir rules add FILE RULE` probably gave the rule first: no file has the name `file`, and that is a rule,
// or `rule` is a file and no rule.
[[nodiscard]] bool looks_swapped(const std::string& file, const std::string& rule);

}  // namespace weir::rules
