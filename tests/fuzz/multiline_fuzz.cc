// Lines of a program through the machines that join stack traces. The first byte chooses the language and the bound, the second
// says where blocks are cut: that changes nothing, and every line comes out, once and in order.
#include "fuzz/fuzz.h"
#include "tail/multiline.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace weir::fuzz {
namespace {

struct Collected final : tail::Joiner::Sink {
  std::string text;  // all records
  std::vector<std::uint64_t> ends;
  std::vector<std::unique_ptr<char[]>> memory;
  void put_record(const tail::Joiner::Line& line) override {
    WEIR_HOLDS(ends.empty() || line.end.offset > ends.back());
    WEIR_HOLDS(line.start.offset == (ends.empty() ? 0 : ends.back()));
    text.append(line.text);
    text.push_back('\n');
    ends.push_back(line.end.offset);
  }
  char* allocate_text(std::size_t size) override { return memory.emplace_back(std::make_unique<char[]>(size)).get(); }
};

Collected joined(std::string_view input, const tail::Multiline& options, std::size_t settles) {
  tail::Joiner joiner(options);
  Collected out;
  std::size_t count = 0;
  for (std::size_t at = 0; at < input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    // Memory of its own, which is gone when the machine was told so.
    const std::string line(input.substr(at, end - at));
    char* const kept = out.allocate_text(line.size() + 1);
    std::copy(line.begin(), line.end(), kept);
    joiner.take({{kept, line.size()}, 0, tail::Stream::none, false, {1, at}, {1, end + 1}}, out);
    if (settles > 0 && ++count % settles == 0) {
      joiner.settle(out);
      out.memory.clear();
    }
    at = end + 1;
  }
  joiner.settle(out);
  joiner.close(out);
  return out;
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  std::string_view input = fuzz::text_of(data, size);
  const std::size_t choice = fuzz::take_byte(input), settles = fuzz::take_byte(input) % 8;
  constexpr tail::Shape kShapes[] = {tail::Shape::java, tail::Shape::python, tail::Shape::go, tail::Shape::ruby,
                                     tail::Shape::dotnet};
  tail::Multiline options;
  options.shape = kShapes[choice % 5];
  options.max_lines = 2 + choice / 5;
  options.max_bytes = 64 + choice * 16;
  const fuzz::Collected whole = fuzz::joined(input, options, 0);
  const fuzz::Collected cut = fuzz::joined(input, options, settles);
  WEIR_HOLDS(whole.text == cut.text && whole.ends == cut.ends);
  std::string all(input);
  if (!all.empty() && all.back() != '\n') all.push_back('\n');
  WEIR_HOLDS(whole.text == all);
  return 0;
}
