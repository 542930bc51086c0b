// What tail would find under its arguments, by their names alone: for messages and checks, not for records.
#pragma once

#include "tail/pattern.h"
#include "tail/selection.h"

#include <string>
#include <vector>

namespace weir::tail {

// Why no log file of `inputs` (as patterns_of() takes them) is wanted: what is missing, what is there instead and which name is
// nearest to the one that was asked for. One line without a full stop, names as they are (they may hold control bytes); "" when
// there is a wanted file after all.
[[nodiscard]] std::string explain_no_log(const std::vector<std::string>& inputs, const Selection& selection);

// What opening the wanted files would refuse now. Of what is followed, a path that is not there is none of it: it may come.
[[nodiscard]] Unreadable find_unreadable(const std::vector<std::string>& inputs, const Selection& selection, bool follow);

}  // namespace weir::tail
