// Log files in the form of docker. The first byte says where blocks are cut. What is taken for docker's is JSON.
#include "base/utf8.h"
#include "fuzz/decoder_fuzz.h"
#include "tail/format.h"

#include <nlohmann/json.hpp>

namespace {

// The other reader refuses numbers that no double can hold: those of hundreds of digits, or with a large exponent.
bool has_large_number(std::string_view line) {
  std::size_t run = 0;
  bool exponent = false;
  for (const char c : line) {
    const bool digit = c >= '0' && c <= '9';
    if (digit && ++run > (exponent ? 2 : 200)) return true;
    if (digit || (exponent && run == 0 && (c == '+' || c == '-'))) continue;
    exponent = c == 'e' || c == 'E';
    run = 0;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view input = fuzz::text_of(data, size);
  fuzz::check_decoder(input, tail::Format::docker);
  for (std::size_t at = 0; at < input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    const std::string_view line = input.substr(at, end - at);
    at = end + 1;
    const auto parsed = tail::parse_docker(line);
    if (!parsed) continue;
    WEIR_HOLDS(parsed->log.data() >= line.data() && parsed->log.data() + parsed->log.size() <= line.data() + line.size());
    // The other reader also refuses bytes that are not UTF-8 and halves of surrogate pairs.
    if (base::is_utf8(line) && line.find("\\ud") == line.npos && line.find("\\uD") == line.npos && !has_large_number(line))
      WEIR_HOLDS(nlohmann::json::accept(line));
  }
  (void)tail::detect_format(input);
  return 0;
}
