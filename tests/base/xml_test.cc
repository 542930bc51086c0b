#include "base/xml.h"

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(Xml, Escapes) {
  EXPECT_EQ(escape_xml("a < b && c > \"d\""), "a &lt; b &amp;&amp; c &gt; &quot;d&quot;");
  EXPECT_EQ(escape_xml("\x1b[2J\n"), "\\x1b[2J\\n");
  EXPECT_EQ(escape_xml("ä"), "ä");
  EXPECT_EQ(escape_xml("\xef\xbf\xbf \xef\xbf\xbe \xef\xbf\xbd \xef"), "\xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbd \\xef");
}

}  // namespace
}  // namespace weir::base
