#include "serve/tenant.h"

#include "names/tenant.h"

namespace weir::serve {
namespace {

httpd::Response refusal(std::string text) { return {.status = 400, .body = std::move(text)}; }

}  // namespace

Tenant tenant_of(const httpd::Request& request) {
  std::string name(request.header("X-Scope-OrgID"));
  if (name.find('|') != std::string::npos) return {.name = {}, .refused = refusal("multiple org IDs present\n")};
  if (!names::is_tenant(name)) {
    return {.name = {},
            .refused = refusal("X-Scope-OrgID is no tenant: use up to 150 of the characters a-z A-Z 0-9 ! - _ . * ' ( ) :\n")};
  }
  return {.name = std::move(name)};
}

}  // namespace weir::serve
