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

TEST(ValidText, IsSafeInHtml) {
  const auto safe = [](std::string_view text) {
    std::string out = "<";
    append_html_safe_string(out, text);
    return out;
  };
  EXPECT_EQ(safe("plain"), "<\"plain\"");
  EXPECT_EQ(safe("<b>&\n\""), "<\"\\u003cb\\u003e\\u0026\\n\\\"\"");
  EXPECT_EQ(safe("a\xe2\x80\xa8\xe2\x80\xa9"), "<\"a\\u2028\\u2029\"");
  // Others that begin alike, and one that is cut short.
  EXPECT_EQ(safe("\xe2\x82\xac>\xe2\x80"), "<\"\xe2\x82\xac\\u003e\\udce2\\udc80\"");
}

}  // namespace
}  // namespace weir::serve
