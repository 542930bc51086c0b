#include "stages/rule_place.h"

#include "support/collect.h"
#include "support/fake_config_maps.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::stages {
namespace {

using testing::Contains;
using testing::HasSubstr;

class RulePlacesTest : public testing::Test {
 protected:
  static base::Result<std::string> begin_with_x(std::string_view text) { return "x\n" + std::string(text); }

  test::TempDir folder_;
  test::TestContext test_;
  test::FakeConfigMaps server_;
  RulePlaces places_{{.server = server_.url()}, test_.context};
};

TEST_F(RulePlacesTest, FilesNeedNoServer) {
  folder_.write("rules", "a\n");
  RulePlaces places({}, test_.context);
  EXPECT_EQ(*places.read(folder_ / "rules"), "a\n");
  ASSERT_TRUE(places.edit(folder_ / "rules", begin_with_x));
  EXPECT_EQ(*places.read(folder_ / "rules"), "x\na\n");
  EXPECT_FALSE(places.read("configmap:shop/rules")) << "where is it?";
  EXPECT_FALSE(places.edit("configmap:shop/rules", begin_with_x));
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(RulePlacesTest, ReadsAndEditsConfigMaps) {
  server_.put("shop/rules", {{"rules", "a\n"}});
  EXPECT_EQ(*places_.read("configmap:shop/rules"), "a\n");
  const auto edited = places_.edit("configmap:shop/rules", begin_with_x);
  ASSERT_TRUE(edited);
  EXPECT_FALSE(edited->created);
  EXPECT_EQ(server_.get("shop/rules")->at("rules"), "x\na\n");
}

TEST_F(RulePlacesTest, SaysWhatDoesNotExist) {
  EXPECT_EQ(*places_.read("configmap:shop/rules"), "");
  EXPECT_THAT(test_.diagnostics.said(), Contains(HasSubstr("'shop/rules' does not exist")));
  server_.put("shop/rules", {{"rules", ""}});
  EXPECT_EQ(*places_.read("configmap:shop/rules/other"), "");
  EXPECT_THAT(test_.diagnostics.said(), Contains(HasSubstr("has no key 'other'")));
  EXPECT_TRUE(places_.edit("configmap:shop/new", begin_with_x)->created);
  EXPECT_EQ(server_.get("shop/new")->at("rules"), "x\n");
}

TEST_F(RulePlacesTest, NamesMustBeSome) {
  EXPECT_EQ(places_.read("configmap:rules").error().code, base::Code::usage);
  EXPECT_EQ(places_.edit("configmap:rules", begin_with_x).error().code, base::Code::usage);
}

}  // namespace
}  // namespace weir::stages
