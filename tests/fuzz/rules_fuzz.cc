// Rules: a rule that parses prints as one line that parses to an equal rule, errors point into the text, and an edit of the text
// changes nothing but what it was asked for.
#include "fuzz/fuzz.h"
#include "logql/lexer.h"
#include "rules/check.h"
#include "rules/edit.h"
#include "rules/parser.h"
#include "rules/printer.h"

#include <algorithm>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  if (size > 4 << 10) return 0;  // the regular expressions of longer ones take all the time
  const std::string_view text = fuzz::text_of(data, size);
  constexpr base::Timestamp now = 1795953600 * base::kSecond;
  const auto parsed = rules::parse(text, "f", now);
  if (!parsed) {
    const base::Error& error = parsed.error();
    WEIR_HOLDS(error.code == base::Code::config && error.message.starts_with("f:"));
    WEIR_HOLDS(error.text == text && error.offset && *error.offset <= text.size());
    return 0;
  }
  for (const rules::Rule& rule : *parsed) {
    WEIR_HOLDS(rule.place.offset < text.size() && rule.place.line > 0);
    const std::string printed = rules::print(rule);
    WEIR_HOLDS(printed.find('\n') == printed.npos && printed.find('\r') == printed.npos);
    // Printing writes a row of `or` as nested parentheses, and the parser bounds how deep they are.
    if (printed.size() >= logql::kMaxQueryBytes || std::ranges::count(printed, '(') >= 100) continue;
    const auto again = rules::parse(printed, "g");
    WEIR_HOLDS(again.ok() && again->size() == 1 && again->front() == rule);
    WEIR_HOLDS(again->front().id() == rule.id() && rules::print(again->front()) == printed);
  }
  (void)rules::check(*parsed, {.now = now, .levels_known = false, .behind_buffer = true});
  const auto added = rules::add(text, "f", "name fuzz-added: keep for 5m {a=\"b\"}", {.now = now, .user = "me"});
  if (!added) return 0;  // the name is there, or there are too many rules
  const auto with = rules::parse(added->text, "f");
  WEIR_HOLDS(with.ok() && with->size() + added->pruned == parsed->size() + 1 && with->front() == added->rule);
  const auto removed = rules::remove(added->text, "f", "fuzz-added", now);
  WEIR_HOLDS(removed.ok());
  // Where nothing is left, a comment says so.
  if (added->pruned == 0 && text.ends_with('\n') && !rules::is_blank(text)) {
    // A file of comments alone got a blank line, too.
    WEIR_HOLDS(removed->text == text || removed->text == std::string(text) + '\n' || removed->text == std::string(text) + "\r\n");
  }
  return 0;
}
