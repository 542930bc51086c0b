// The text of `weir run`: what it reads as words, quoted, is read as the same words.
#include "cli/pipeline_text.h"
#include "fuzz/fuzz.h"

#include <string>
#include <vector>

namespace {

using namespace weir;

const char* variable(const char* name) {
  const std::string_view wanted = name;
  return wanted == "HOME" ? "/home/user" : wanted == "ODD" ? "a b'\"$`\\\n" : nullptr;
}

void append_quoted(std::string& out, const std::string& word) {
  out += " '";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  out += '\'';
}

std::string printed(const std::vector<cli::PipelineText>& pipelines) {
  std::string out;
  for (const cli::PipelineText& pipeline : pipelines) {
    WEIR_HOLDS(!pipeline.stages.empty());
    const char* between = "weir";
    for (const cli::StageText& stage : pipeline.stages) {
      out += between;
      between = " | weir";
      append_quoted(out, stage.command.text);
      for (const cli::Word& word : stage.arguments) append_quoted(out, word.text);
    }
    out += '\n';
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto parsed = cli::PipelineSource("fuzz", std::string(text)).parse(variable);
  if (!parsed) {
    WEIR_HOLDS(parsed.error().message.starts_with("fuzz"));
    return 0;
  }
  WEIR_HOLDS(!parsed->empty());
  const std::string once = printed(*parsed);
  const auto again = cli::PipelineSource("fuzz", once).parse(variable);
  WEIR_HOLDS(again.ok());
  WEIR_HOLDS(printed(*again) == once);
  return 0;
}
