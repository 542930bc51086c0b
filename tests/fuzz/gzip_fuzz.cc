// Gzipped log files: read in steps of any size they give the same text, and never more than can be packed into so many bytes.
#include "fuzz/fuzz.h"
#include "support/temp_dir.h"
#include "tail/input_file.h"

#include <algorithm>
#include <array>
#include <string>

namespace {

using namespace weir;

// Up to `most` bytes of the text; what is behind an error is not read.
std::string text_in(const std::string& path, std::size_t step, std::size_t most) {
  auto file = tail::InputFile::open(path);
  if (!file) return {};
  std::array<char, 4096> buffer;
  std::string text;
  while (text.size() < most) {
    const auto got = (*file)->read(text.size(), buffer.data(), std::min({step, buffer.size(), most - text.size()}));
    if (!got || *got == 0) break;
    WEIR_HOLDS(*got <= step);
    text.append(buffer.data(), *got);
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  const std::size_t step = 1 + fuzz::take_byte(input);
  static const test::TempDir folder;
  folder.write("a.log.gz", input);
  constexpr std::size_t kMost = 256 << 10;
  const std::string path = folder / "a.log.gz";
  const std::string whole = text_in(path, 4096, kMost);
  WEIR_HOLDS(whole.size() <= input.size() * 1040 + 64);  // deflate packs 1032 bytes into one at best
  WEIR_HOLDS(text_in(path, step, kMost) == whole);
  auto file = tail::InputFile::open(path);
  if (file) (void)(*file)->identify(1024, whole.size()).ok();
  return 0;
}
