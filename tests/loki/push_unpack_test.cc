#include "loki/push_unpack.h"

#include <gtest/gtest.h>
#include <snappy.h>
#include <zlib.h>

#include <vector>

namespace weir::loki {
namespace {

std::string packed(const std::string& text, int window) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
constexpr int kGzip = MAX_WBITS + 16, kRaw = -MAX_WBITS;

TEST(PushUnpack, GivesBackWhatWasPacked) {
  std::string long_text;
  for (int i = 0; i < 100'000; ++i) long_text += std::to_string(i * 7919);
  for (const std::string& text : {std::string(), std::string("x"), long_text}) {
    std::string out = "rest of before";
    EXPECT_EQ(unpack_gzip(packed(text, kGzip), 1 << 20, out), Unpacked::fine);
    EXPECT_EQ(out, text);
    EXPECT_EQ(unpack_deflate(packed(text, kRaw), 1 << 20, out), Unpacked::fine);
    EXPECT_EQ(out, text);
    std::string block;
    snappy::Compress(text.data(), text.size(), &block);
    EXPECT_EQ(unpack_snappy(block, 1 << 20, out), Unpacked::fine);
    EXPECT_EQ(out, text);
  }
  std::string out;
  EXPECT_EQ(unpack_gzip(packed("one,", kGzip) + packed("two", kGzip), 100, out), Unpacked::fine);
  EXPECT_EQ(out, "one,two");
}

TEST(PushUnpack, SaysWhatIsWrong) {
  std::string out;
  EXPECT_EQ(unpack_gzip("", 100, out), Unpacked::bad_header);
  EXPECT_EQ(unpack_gzip(R"({"streams":[]})", 100, out), Unpacked::bad_header);
  const std::string whole = packed(std::string(1000, 'x') + "end", kGzip);
  for (std::size_t size = 10; size < whole.size(); ++size)
    EXPECT_EQ(unpack_gzip(std::string_view(whole).substr(0, size), 10'000, out), Unpacked::broken) << size;
  std::string wrong = whole;
  wrong[wrong.size() - 5] ^= 1;  // the checksum
  EXPECT_EQ(unpack_gzip(wrong, 10'000, out), Unpacked::broken);
  EXPECT_EQ(unpack_deflate("\xff\xff\xff\xff", 100, out), Unpacked::broken);
  EXPECT_EQ(unpack_deflate("", 100, out), Unpacked::broken);
  EXPECT_EQ(unpack_snappy("", 100, out), Unpacked::broken);
  EXPECT_EQ(unpack_snappy("\xff\xff\xff\xff\xff\xff", 100, out), Unpacked::broken);
}

TEST(PushUnpack, IsBounded) {
  const std::string bomb(8 << 20, '\0');
  std::string out;
  EXPECT_EQ(unpack_gzip(packed(bomb, kGzip), 1 << 20, out), Unpacked::too_large);
  EXPECT_LE(out.capacity(), 4U << 20);
  EXPECT_EQ(unpack_deflate(packed(bomb, kRaw), 1 << 20, out), Unpacked::too_large);
  EXPECT_LE(out.capacity(), 4U << 20);
  const std::string text(1000, 'x');
  EXPECT_EQ(unpack_gzip(packed(text, kGzip), 1000, out), Unpacked::fine);
  EXPECT_EQ(unpack_gzip(packed(text, kGzip), 999, out), Unpacked::too_large);
  // A length of 4 GiB in five bytes, and one of 60 MiB: no memory is taken for either.
  std::string fresh;
  EXPECT_EQ(unpack_snappy("\xff\xff\xff\xff\x0f", 64 << 20, fresh), Unpacked::broken);
  EXPECT_EQ(unpack_snappy(std::string("\x80\x80\x80\x1e\x00", 5), 64 << 20, fresh), Unpacked::broken);
  EXPECT_LT(fresh.capacity(), 100U);
}

}  // namespace
}  // namespace weir::loki
