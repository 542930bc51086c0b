#include "cli/pipeline_text.h"

#include <gtest/gtest.h>

#include <cstring>

namespace weir::cli {
namespace {

const char* environment(const char* name) {
  if (std::strcmp(name, "HOME") == 0) return "/home/me";
  if (std::strcmp(name, "TWO") == 0) return "one two";
  if (std::strcmp(name, "EMPTY") == 0) return "";
  return nullptr;
}

// Stages in brackets, words in angle brackets, one pipeline a line.
std::string shown(const std::vector<PipelineText>& pipelines) {
  std::string out;
  for (const auto& pipeline : pipelines) {
    if (!out.empty()) out += '\n';
    for (const auto& stage : pipeline.stages) {
      out += "[" + stage.command.text;
      for (const auto& word : stage.arguments) out += " <" + word.text + ">";
      out += "]";
    }
  }
  return out;
}

TEST(PipelineText, Success) {
  const auto f = [](std::string text, std::string_view wanted) {
    const PipelineSource source("f", text);
    auto parsed = source.parse(environment);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(shown(*parsed), wanted) << text;
  };
  f("tail", "[tail]");
  f("tail -f /var/log | push", "[tail <-f> </var/log>][push]");
  f("weir tail|weir push", "[tail][push]");
  f("tail # all of it\n# more\n\n  push", "[tail]\n[push]");
  f("tail |\n  # comment\n\n  push\n", "[tail][push]");
  f("tail \\\n -f", "[tail <-f>]");
  f("tail a\\\nb", "[tail <ab>]");
  f("filter '|= \"a b\"'", "[filter <|= \"a b\">]");
  f(R"(filter "a \"b\" \\ \$ \` \n")", R"([filter <a "b" \ $ ` \n>])");
  f("filter \"a\\\nb\"", "[filter <ab>]");
  f("filter 'a\nb' c", "[filter <a\nb> <c>]");  // a newline within quotes is text
  f("filter a'b'\"c\"d", "[filter <abcd>]");
  f("filter ''", "[filter <>]");
  f("tail $HOME/x ${HOME}y \"$HOME\" '$HOME'", "[tail </home/me/x> </home/mey> </home/me> <$HOME>]");
  f("tail $TWO $EMPTY", "[tail <one two> <>]");  // never split
  f(R"(tail a\*b '*?[' "*" \$HOME)", "[tail <a*b> <*?[> <*> <$HOME>]");
  f("filter \"x$\"", "[filter <x$>]");
  f("tail a#b", "[tail <a#b>]");
  f("tail\r\n", "[tail]");
  f("filter --label=a=b,c:d@e%f+g", "[filter <--label=a=b,c:d@e%f+g>]");
  f("filter 'ü' ö", "[filter <ü> <ö>]");
}

TEST(PipelineText, Failure) {
  const auto f = [](std::string text, std::string_view message) {
    const PipelineSource source("f", text);
    auto parsed = source.parse(environment);
    ASSERT_FALSE(parsed) << text << ": " << shown(*parsed);
    EXPECT_EQ(parsed.error().code, base::Code::config);
    EXPECT_EQ(parsed.error().message, message) << text;
  };
  f("", "f:1:1: there is no pipeline in it");
  f("# nothing\n", "f:1:1: there is no pipeline in it");
  f("tail *.log", "f:1:6: unquoted '*': a shell would expand it: quote it");
  f("tail a?", "f:1:7: unquoted '?': a shell would expand it: quote it");
  f("tail [ab]", "f:1:6: unquoted '[': a shell would expand it: quote it");
  f("tail\ntail; push", "f:2:5: unquoted ';': `;` is not supported here");
  f("tail & push", "f:1:6: unquoted '&': `&` is not supported here");
  f("tail > x", "f:1:6: unquoted '>': redirections are not supported here");
  f("tail < x", "f:1:6: unquoted '<': redirections are not supported here");
  f("filter (a)", "f:1:8: unquoted '(': parentheses of a shell are not supported here: quote it");
  f("filter {a=b}", "f:1:8: unquoted '{': a shell would give it another meaning: quote it");
  f("tail $(ls)", "f:1:6: commands are not run here: quote the `$`");
  f("tail `ls`", "f:1:6: commands are not run here: quote the backquote");
  f("tail \"`ls`\"", "f:1:7: commands are not run here: a backquote within double quotes needs a backslash");
  f("tail ~/x", "f:1:6: a shell would put your home folder here");
  f("tail $1", "f:1:6: this kind of variable is not supported: quote the `$`");
  f("tail $UNSET", "f:1:6: the variable UNSET is not set");
  f("tail \"a ${UNSET}\"", "f:1:9: the variable UNSET is not set");
  f("tail ${HOME:-x}", "f:1:6: only ${NAME} is supported here");
  f("tail 'a", "f:1:6: the single quote is not closed");
  f("tail \"a\n", "f:1:6: the double quote is not closed");
  f("tail \\", "f:1:6: a backslash stands at the end of the text");
  f("| push", "f:1:1: a stage is missing before `|`");
  f("tail |", "f:1:7: a stage is missing after `|`");
  f("tail | | push", "f:1:8: a stage is missing after `|`");
  f("tail || push", "f:1:6: `||` is not supported here");
  f("tail 'ü' *", "f:1:10: unquoted '*': a shell would expand it: quote it");  // columns, not bytes
  f("weir", "f:1:1: a stage is missing after weir");
  f("tail \xff", "f: not UTF-8 text");
  f(std::string("tail\0", 5), "f: not a text: byte 5 is zero");
}

TEST(PipelineText, ErrorsShowTheLine) {
  const PipelineSource source("f", "tail |\n\tpush *x\n");
  auto parsed = source.parse(environment);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().hint, "   push *x\n        ^\nweir reads globs itself; put the word in single quotes");
}

TEST(PipelineText, ErrorsHideSecretsAndKeepTheCaretInPlace) {
  const auto f = [](const std::string& text, std::string_view shown) {
    const PipelineSource source("f", text);
    auto parsed = source.parse(environment);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().hint.substr(0, shown.size()), shown) << text;
  };
  f("push --password hunter2 *x", "  push --password *** *x\n                      ^\n");
  f("push *x --password hunter2", "  push *x --password ***\n       ^\n");
  f("push http://me:hunter2@loki *x", "  push http://me:***@loki *x\n                          ^\n");
  f("push --password \\\n  hunter2 *x", "    *** *x\n        ^\n");
  f("push --password *x", "  push --password ***\n                  ^\n");
  f("push --password 'hunter2", "  push --password ***\n                  ^");
}

TEST(PipelineText, WordsKnowTheirPlaces) {
  const PipelineSource source("f", "tail -f |\n  'push' x");
  auto parsed = source.parse(environment);
  ASSERT_TRUE(parsed);
  const auto& push = parsed->front().stages.at(1);
  EXPECT_EQ(push.command.place.line, 2U);
  EXPECT_EQ(push.command.place.column, 3U);
  EXPECT_EQ(push.arguments.at(0).place.column, 10U);
}

}  // namespace
}  // namespace weir::cli
