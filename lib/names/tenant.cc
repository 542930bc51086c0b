#include "names/tenant.h"

#include "names/label_name.h"

#include <algorithm>

namespace weir::names {

bool is_tenant_byte(char c) {
  return is_name_byte(c) || (c != '\0' && std::string_view("!-.*'():").find(c) != std::string_view::npos);
}

bool is_tenant(std::string_view tenant) {
  if (tenant.size() > kLongestTenant || tenant == "." || tenant == "..") return false;
  return std::all_of(tenant.begin(), tenant.end(), is_tenant_byte);
}

}  // namespace weir::names
