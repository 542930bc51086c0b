// Takes the compression off the body of a push request, within a bound: a few bytes may claim to be gigabytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::loki {

enum class Unpacked : std::uint8_t {
  fine,
  bad_header,  // what should begin a gzip stream does not
  broken,      // damaged, or cut short
  too_large,   // more than `most`; the size is not known
};

// `out` is replaced; it keeps its memory.
[[nodiscard]] Unpacked unpack_gzip(std::string_view packed, std::size_t most, std::string& out);
// As Go's compress/flate: without the header of zlib.
[[nodiscard]] Unpacked unpack_deflate(std::string_view packed, std::size_t most, std::string& out);
// A snappy block, not the framed format.
[[nodiscard]] Unpacked unpack_snappy(std::string_view packed, std::size_t most, std::string& out);

}  // namespace weir::loki
