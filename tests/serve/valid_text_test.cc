#include "serve/valid_text.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::serve {
namespace {

TEST(ValidText, ReplacesLoneSurrogates) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {R"({"a":"b\n\"c"})", R"({"a":"b\n\"c"})"},
      {R"(["a\udcff\udcfeb"])",
       "[\"a\xef\xbf\xbd\xef\xbf\xbd"
       "b\"]"},
      {R"({"\udc80":"x\\\udc80y","z":"\t"})", "{\"\xef\xbf\xbd\":\"x\\\\\xef\xbf\xbdy\",\"z\":\"\\t\"}"},
      {R"("\\udcff")", R"("\\udcff")"},
      {R"("\ud83d\udc80 \ud83d \uDBFF\uDC00 \udfff")", "\"\\ud83d\\udc80 \xef\xbf\xbd \\uDBFF\\uDC00 \xef\xbf\xbd\""},
      {R"("\u00dc\u0dc0")", R"("\u00dc\u0dc0")"},
      {R"(\)", R"(\)"},
      {R"(\udc)", R"(\udc)"},
  };
  for (const auto& [given, expected] : cases) {
    std::string text = given;
    replace_lone_surrogates(text);
    EXPECT_EQ(text, expected) << given;
  }
}

}  // namespace
}  // namespace weir::serve
