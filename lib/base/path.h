// Paths as text: nothing here looks at a file, except for the working folder that absolute_path() asks for.
#pragma once

#include <string>
#include <string_view>

namespace weir::base {

[[nodiscard]] std::string_view base_name(std::string_view path);  // a view into `path`; trailing slashes do not count
[[nodiscard]] std::string join_path(std::string_view folder, std::string_view name);
[[nodiscard]] std::string_view folder_of(std::string_view path);  // "." without a slash, "/" for the root's own
// Absolute and without `.`, `..` and doubled slashes; symbolic links stay.
[[nodiscard]] std::string absolute_path(std::string_view path);

}  // namespace weir::base
