// A configuration of Promtail: whatever the text is, the pipelines and the rules that come out can be read, findings point into the
// text, and errors show their place.
#include "cli/pipeline_text.h"
#include "convert/promtail.h"
#include "fuzz/fuzz.h"
#include "rules/parser.h"

#include <algorithm>
#include <string>

namespace {
const char* variable(const char* /*name*/) { return "value"; }
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  if (size > 4 << 10) return 0;
  const std::string_view text = fuzz::text_of(data, size);
  const auto made = convert::convert_promtail(text, {.file_name = "f"});
  if (!made) {
    WEIR_HOLDS(made.error().code == base::Code::config && !made.error().message.empty());
    return 0;
  }
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  for (const convert::Finding& one : made->findings) {
    WEIR_HOLDS(one.line > 0 && one.line <= lines + 1 && one.column > 0);
    WEIR_HOLDS(one.severity == convert::Severity::exact || !one.what.empty());
  }
  if (made->pipelines.find("\ntail ") != std::string::npos) {
    WEIR_HOLDS(cli::PipelineSource("f", made->pipelines).parse(variable).ok());
  }
  for (const convert::RuleText& rules : made->rules) WEIR_HOLDS(rules::parse(rules.text, rules.file).ok());
  return 0;
}
