// What Loki takes for a tenant (X-Scope-OrgID).
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::names {

inline constexpr std::size_t kLongestTenant = 150;

// Bytes of [a-zA-Z0-9_!-.*'()], and the colon, which VictoriaLogs writes between account and project.
[[nodiscard]] bool is_tenant_byte(char c);
// At most kLongestTenant of these bytes, and neither "." nor ".."; "" is one, too: no tenant.
[[nodiscard]] bool is_tenant(std::string_view tenant);

}  // namespace weir::names
