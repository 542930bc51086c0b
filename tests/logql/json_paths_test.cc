#include "logql/json_paths.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::logql {
namespace {

// "0=value 1=value !error" in the order in which they are found.
std::string search(const std::vector<std::string>& expressions, std::string_view line) {
  std::vector<Extraction> extractions;
  for (const std::string& expression : expressions) extractions.push_back({"x", expression});
  auto paths = JsonPaths::compile(extractions);
  if (!paths) return paths.error().message;
  struct Lister : JsonPaths::Sink {
    std::string out;
    void found(std::size_t path, const gotext::JsonValue& value) override { out += fmt::format(" {}={}", path, value.text); }
    void broken(std::string_view why) override { out += fmt::format(" !{}", why); }
  } lister;
  gotext::Scratch scratch;
  paths->search(line, scratch, lister);
  return lister.out.empty() ? "" : lister.out.substr(1);
}

struct Case {
  std::vector<std::string> paths;
  std::string_view line;
  std::string_view expected;
};

TEST(JsonPaths, Finds) {
  const Case cases[] = {
      {{"a"}, R"({"a":1})", "0=1"},
      {{"a", "b"}, R"({"b":"x","a":[1,2]})", "1=x 0=[1,2]"},
      {{"a.b.c"}, R"({"a":{"x":{"c":0},"b":{"c":5}}})", "0=5"},
      {{"a[1]"}, R"({"a":[1,"two",3]})", "0=two"},
      {{"a[1].b[0]", "a[0]"}, R"({"a":[{"x":1},{"b":[7]}]})", "1={\"x\":1} 0=7"},
      {{"[0]"}, R"([5,6])", "0=5"},
      {{"[0].a"}, R"([{"a":5}])", "0=5"},
      {{R"(["a b"].c)"}, R"({"a b":{"c":null}})", "0=null"},
      {{"kA"}, R"({"k\u0041":1})", "0=1"},
      {{"a"}, R"({"b":1})", ""},
      {{"a"}, R"({"x":{"a":1}})", ""},
      {{"a"}, R"({"a":1,"a":2})", "0=1"},
      {{"a.b"}, R"({"a":1,"a":{"b":2}})", "0=2"},
  };
  for (const Case& c : cases) EXPECT_EQ(search(c.paths, c.line), c.expected) << c.line;
}

// As far as Loki's reader goes, and no further.
TEST(JsonPaths, ReadsWhatIsBroken) {
  const Case cases[] = {
      {{"a"}, R"({"a":)", "!Malformed JSON error"},
      {{"a"}, R"({"a": )", "!Malformed JSON error"},
      {{"b"}, R"({"a":"open,"b":1})", ""},
      {{"b"}, R"({"a":tru,"b":1})", "0=1"},
      {{"a", "b"}, R"({"a":tru,"b":1})", "!Unknown value type 1=1"},
      {{"b"}, R"({"a":1 "b":2)", "0=2"},
      {{"b"}, R"({"a":[1,"b":2})", ""},
      {{"b"}, R"({"a":{"x":1,"b":2})", ""},
      {{"b"}, R"({"a":1}})", ""},
      {{"b"}, R"("b":1)", "!Malformed JSON error"},
      {{"b"}, R"({"bad\x":1,"b":2})", ""},
      {{"a[0]"}, R"({"a":[1)", "0=1"},
      {{"a[1]", "b"}, R"({"a":[1],"b":2})", "1=2"},
  };
  for (const Case& c : cases) EXPECT_EQ(search(c.paths, c.line), c.expected) << c.line;
}

TEST(JsonPaths, SaysWhatIsWrongWithAnExpression) {
  EXPECT_EQ(search({"a-b"}, ""), "cannot parse expression [a-b]: unexpected char -");
  EXPECT_EQ(search({""}, ""), "cannot parse expression []: syntax error: unexpected $end, expecting LSB or FIELD");
  EXPECT_EQ(search({"a."}, ""), "cannot parse expression [a.]: syntax error: unexpected $end, expecting FIELD");
  EXPECT_EQ(search({"a[x]"}, ""), "cannot parse expression [a[x]]: syntax error: unexpected FIELD, expecting STRING or INDEX");
}

}  // namespace
}  // namespace weir::logql
