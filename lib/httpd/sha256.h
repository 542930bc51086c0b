// SHA-256 (FIPS 180-4), for secrets that are compared.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::httpd {

using Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Digest sha256(std::string_view bytes);

// In a time that does not depend on what stands in them.
[[nodiscard]] bool same_digest(const Digest& one, const Digest& other);

}  // namespace weir::httpd
