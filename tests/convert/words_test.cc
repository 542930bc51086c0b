#include "convert/words.h"

#include "cli/pipeline_text.h"

#include <gtest/gtest.h>

namespace weir::convert {
namespace {

// The value of the variable X.
const char* environment(const char* name) { return std::string_view(name) == "X" ? "a b\"c" : nullptr; }

TEST(Words, AreReadBackAsTheyWere) {
  for (const std::string text :
       {"plain", "with blank", "it's", "a\"b", "$1 ${1} $X", "`x`", "\\", "", "#x", "~", "*.log", "a\nb", "ü|&;<>(){}"}) {
    const std::string line = "tail " + pipeline_word(text, false);
    const auto read = cli::PipelineSource("t", line).parse(environment);
    ASSERT_TRUE(read.ok()) << line << ": " << read.error().message;
    ASSERT_EQ((*read)[0].stages[0].arguments.size(), 1U) << line;
    EXPECT_EQ((*read)[0].stages[0].arguments[0].text, text);
  }
}

TEST(Words, KeepVariables) {
  for (const auto& [text, value] : std::vector<std::pair<std::string, std::string>>{
           {"${X}", "a b\"c"}, {"h-${X}\"$1\\`", "h-a b\"c\"$1\\`"}, {"${1}", "${1}"}, {"${X:-y}", "${X:-y}"}}) {
    const std::string line = "tail " + pipeline_word(text, true);
    const auto read = cli::PipelineSource("t", line).parse(environment);
    ASSERT_TRUE(read.ok()) << line << ": " << read.error().message;
    EXPECT_EQ((*read)[0].stages[0].arguments[0].text, value) << line;
  }
}

TEST(Words, FindVariables) {
  const auto uses = variables_of("a ${ONE} ${TWO:-x} ${THREE:y} ${FOUR^^} ${#FIVE} $SIX ${1} ${");
  ASSERT_EQ(uses.size(), 5U);
  EXPECT_EQ(uses[0].name, "ONE");
  EXPECT_FALSE(uses[0].has_fallback || uses[0].strange);
  EXPECT_EQ(uses[1].fallback, "x");
  EXPECT_EQ(uses[2].fallback, "y");
  EXPECT_TRUE(uses[3].strange);
  EXPECT_TRUE(uses[4].strange);
}

TEST(Words, OfOtherTexts) {
  EXPECT_EQ(logql_string("a\\b"), "`a\\b`");
  EXPECT_EQ(logql_string("a`b\n"), "\"a`b\\n\"");
  EXPECT_EQ(comment_text("a\nb\x1b"), "a\\nb\\x1b");
  EXPECT_EQ(file_word("a/b c"), "a-b-c");
  EXPECT_EQ(file_word("../.."), "job");
  EXPECT_EQ(file_word(""), "job");
}

}  // namespace
}  // namespace weir::convert
