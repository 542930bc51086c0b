#include "record/source.h"

#include <gtest/gtest.h>

namespace weir::record {
namespace {

TEST(Source, PrintsBackWhatItParsed) {
  for (const char* text :
       {"f.1.2.o.300", "f.1.2.e.300.200", "f.1.2.o.300.200.1", "f.4294967295.4294967295.o.18446744073709551615.1.0",
        "b.00000000000000ff.12.3", "b.ffffffffffffffff.18446744073709551615.4294967295", "r.00000000000000ff.7"}) {
    const auto source = Source::parse(text);
    ASSERT_TRUE(source) << text;
    EXPECT_EQ(source->to_string(), text);
  }
  const auto plain = Source::parse("f.1.2.o.300");
  EXPECT_EQ(plain->resume, 300U);
  EXPECT_EQ(plain->resume_generation, 2U);
  EXPECT_EQ(*plain, Source::in_file(1, 2, 0, 300));
}

TEST(Source, Failure) {
  for (const char* text : {"",
                           "f",
                           "f.",
                           "f.1",
                           "f.1.2.x.3",
                           "f.1.2.o",
                           "f.1.2.o.",
                           "f.1.2.o.3.",
                           "f.1.2.o.3.4.5.6",
                           "f.-1.2.o.3",
                           "f.1.2.o.99999999999999999999",
                           "b.ff.1.2",
                           "b.00000000000000ff.1",
                           "b.00000000000000ff.1.2.3",
                           "b.00000000000000fg.1.2",
                           "r.ff.1",
                           "r.00000000000000ff",
                           "r.00000000000000ff.",
                           "r.00000000000000ff.1.2",
                           "x.1.2",
                           "f.1.2.o.3 "}) {
    EXPECT_FALSE(Source::parse(text)) << text;
  }
}

}  // namespace
}  // namespace weir::record
