// Log files in the form of CRI. The first byte says where blocks are cut.
#include "fuzz/decoder_fuzz.h"
#include "tail/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view input = fuzz::text_of(data, size);
  fuzz::check_decoder(input, tail::Format::cri);
  tail::SecondCache cache;
  for (std::size_t at = 0; at < input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    const std::string_view line = input.substr(at, end - at);
    const auto header = tail::parse_cri(line, cache);
    const auto alone = tail::parse_cri(line);
    WEIR_HOLDS(header.has_value() == alone.has_value());
    if (header) {
      WEIR_HOLDS(header->size <= line.size());
      WEIR_HOLDS(header->timestamp == alone->timestamp);
    }
    at = end + 1;
  }
  return 0;
}
