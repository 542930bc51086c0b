// Lines with their time in front. The first byte says where blocks are cut.
#include "fuzz/decoder_fuzz.h"
#include "tail/rfc3339.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view input = fuzz::text_of(data, size);
  tail::SecondCache cache;
  for (std::size_t at = 0; at < input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    const std::string_view line = input.substr(at, end - at);
    tail::SecondCache none;
    const auto parsed = tail::parse_rfc3339_line(line, cache);
    const auto alone = tail::parse_rfc3339_line(line, none);
    WEIR_HOLDS(parsed.has_value() == alone.has_value());
    if (parsed) {
      WEIR_HOLDS(parsed->size <= line.size());
      WEIR_HOLDS(parsed->timestamp == alone->timestamp);
      WEIR_HOLDS(parsed->prefix.empty() == parsed->pod.empty() && parsed->pod.empty() == parsed->container.empty());
    }
    at = end + 1;
  }
  fuzz::check_decoder(input, tail::Format::rfc3339);
  return 0;
}
