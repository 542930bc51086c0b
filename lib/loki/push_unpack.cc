#include "loki/push_unpack.h"

#include <snappy.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

namespace weir::loki {
namespace {

constexpr std::size_t kFirstPiece = 64 << 10;

// `window`: as inflateInit2 takes it.
Unpacked inflate_all(std::string_view packed, int window, std::size_t most, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return Unpacked::broken;
  const std::unique_ptr<z_stream, void (*)(z_stream*)> ends(&stream, [](z_stream* one) { inflateEnd(one); });
  out.clear();
  // zlib takes its input without const and does not write to it.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  while (true) {
    const std::size_t had = out.size();
    if (had > most) return Unpacked::too_large;
    // One byte more than may be, so that too much is noticed.
    out.resize(std::min(most + 1, std::max({had * 2, out.capacity(), std::max(kFirstPiece, packed.size() * 2)})));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + had);
    stream.avail_out = static_cast<uInt>(out.size() - had);
    const int result = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (result == Z_STREAM_END) {
      if (out.size() > most) return Unpacked::too_large;
      // Go reads on where another gzip stream follows.
      if (window < 0 || stream.avail_in == 0) return Unpacked::fine;
      if (inflateReset(&stream) != Z_OK) return Unpacked::broken;
      continue;
    }
    if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) return Unpacked::broken;
  }
}

}  // namespace

Unpacked unpack_gzip(std::string_view packed, std::size_t most, std::string& out) {
  constexpr std::size_t kHeader = 10;
  if (packed.size() < kHeader || !packed.starts_with("\x1f\x8b\x08")) return Unpacked::bad_header;
  constexpr int kGzip = 16;
  return inflate_all(packed, MAX_WBITS + kGzip, most, out);
}

Unpacked unpack_deflate(std::string_view packed, std::size_t most, std::string& out) {
  return inflate_all(packed, -MAX_WBITS, most, out);
}

Unpacked unpack_snappy(std::string_view packed, std::size_t most, std::string& out) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(packed.data(), packed.size(), &size)) return Unpacked::broken;
  // A snappy block expands at most 21 times, so a short one that claims more is damaged; no memory is taken for it.
  constexpr std::size_t kMostExpansion = 64;
  if (size / kMostExpansion > packed.size()) return Unpacked::broken;
  if (size > most) return snappy::IsValidCompressedBuffer(packed.data(), packed.size()) ? Unpacked::too_large : Unpacked::broken;
  out.resize(size);
  return snappy::RawUncompress(packed.data(), packed.size(), out.data()) ? Unpacked::fine : Unpacked::broken;
}

}  // namespace weir::loki
