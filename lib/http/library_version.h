// Which libcurl this process has.
#pragma once

#include "base/result.h"

#include <string>

namespace weir::http {

// The version, and the TLS library that it uses: "7.88.1, OpenSSL/3.0.15". Loads libcurl, and fails as CurlLibrary::load does.
// Thread safe.
[[nodiscard]] base::Result<std::string> library_version();

}  // namespace weir::http
