// Whose records a request is about: the header X-Scope-OrgID, as Loki reads it (loki: pkg/loki, dskit tenant).
//
// Records of different tenants never meet: a request sees and writes those of its own tenant. Without the header these are the
// records without a tenant, which is what a chain stores that has no `tenant` rule.
#pragma once

#include "httpd/message.h"

#include <optional>
#include <string>

namespace weir::serve {

struct Tenant {
  std::string name;                             // "" without the header
  std::optional<httpd::Response> refused = {};  // 400, in Loki's words: the header is no tenant, or names several
};

[[nodiscard]] Tenant tenant_of(const httpd::Request& request);

}  // namespace weir::serve
