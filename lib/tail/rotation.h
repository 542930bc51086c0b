// What the name of a rotated file says: of which live file it is one, and which of two is older. record/pod_path.h has
// record::live_name_of().
#pragma once

#include <string>
#include <string_view>

namespace weir::tail {

// What distinguishes a rotation of `live` from others: the name without that of the live file, separators and `.gz`; "" when it is
// none.
[[nodiscard]] std::string_view rotation_of(std::string_view name, std::string_view live);
// The same of a rotation that keeps the extension: `server-2024-05-01.log`, `server.1.log`, also with `.gz`, of `server.log`
// (lumberjack, logback, logrotate's `extension`). The name alone does not tell it from another log, `server-1.log` of a second
// server.
[[nodiscard]] std::string_view inner_rotation_of(std::string_view name, std::string_view live);
// The name without what counts or dates it: alike for the rotations that one program makes of one log.
[[nodiscard]] std::string rotation_shape(std::string_view name);
// True when it is a number, a time or `old`, as rotation gives; others are what people left beside a log.
[[nodiscard]] bool is_rotation_order(std::string_view rotation);
// Of two such texts: `a` is older. Counts rise with age (app.log.1 is younger than app.log.2), as logrotate and docker count; times
// fall.
[[nodiscard]] bool rotation_before(std::string_view a, std::string_view b);
[[nodiscard]] bool is_rotation_count(std::string_view rotation);
// True when rotation `a` is older than rotation `b` of the same live file.
[[nodiscard]] bool rotated_before(std::string_view a, std::string_view b);

}  // namespace weir::tail
