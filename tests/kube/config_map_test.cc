#include "kube/config_map.h"

#include "support/fake_config_maps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir::kube {
namespace {

using base::Code;
using testing::HasSubstr;

TEST(ConfigMapName, AreRead) {
  EXPECT_EQ(*parse_config_map("configmap:shop/rules"), (ConfigMapName{"shop", "rules", ""}));
  EXPECT_EQ(*parse_config_map("configmap:kube-system/weir.io/Rules_1.txt"),
            (ConfigMapName{"kube-system", "weir.io", "Rules_1.txt"}));
  EXPECT_TRUE(is_config_map("configmap:x"));
  EXPECT_FALSE(is_config_map("./configmap:x"));
}

TEST(ConfigMapName, MistakesAreOfUsage) {
  for (const char* place :
       {"configmap:", "configmap:rules", "configmap:/rules", "configmap:shop/", "configmap:shop/rules/", "configmap:shop/rules/a/b",
        "configmap:Shop/rules", "configmap:a.b/rules", "configmap:shop/../x", "configmap:shop/-x", "configmap:shop/x?y",
        "configmap:shop/rules/..", "configmap:shop/rules/a b", "configmap:shop/rules\n"}) {
    const auto name = parse_config_map(place);
    ASSERT_FALSE(name) << place;
    EXPECT_EQ(name.error().code, Code::usage);
    EXPECT_THAT(name.error().hint, HasSubstr("configmap:NAMESPACE/NAME"));
  }
}

std::string object(const std::string& rest) {
  return R"({"kind":"ConfigMap","metadata":{"name":"r","resourceVersion":"7"})" + rest + "}";
}

TEST(ConfigMapTextOf, ChoosesTheKey) {
  const auto f = [](const std::string& data, const std::string& key, const std::string& used, bool has, const std::string& text) {
    const auto got = text_of(object(data), {"n", "r", key});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(*got, (ConfigMapText{true, "7", used, has, text})) << data << " " << key;
  };
  f(R"(,"data":{"rules":"a\n\u00e9"})", "", "rules", true, "a\n\xc3\xa9");
  f(R"(,"data":{"x":"1","rules":"2"})", "", "rules", true, "2");
  f(R"(,"data":{"x":"1"})", "", "x", true, "1");
  f(R"(,"data":{"x":"1","y":"2"})", "y", "y", true, "2");
  f(R"(,"data":{"x":"1"})", "z", "z", false, "");
  f("", "", "rules", false, "");
  f(R"(,"data":{})", "", "rules", false, "");
  f(R"(,"data":null)", "k", "k", false, "");
}

TEST(ConfigMapTextOf, Fails) {
  const auto several = text_of(object(R"(,"data":{"a":"","b":""})"), {"n", "r", ""});
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().code, Code::config);
  EXPECT_THAT(several.error().hint, HasSubstr("configmap:n/r/a; there are: a, b"));
  EXPECT_EQ(text_of(object(""), {"n", "other", ""}).error().code, Code::parse);
  const auto binary = text_of(object(R"(,"binaryData":{"k":"AA=="})"), {"n", "r", "k"});
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code, Code::config);
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), object(R"(,"data":{"k":1})"), object(R"(,"data":{"k":"1)")}) {
    const auto got = text_of(text, {"n", "r", "k"});
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, Code::parse) << text;
  }
}

class ConfigMapsTest : public testing::Test {
 protected:
  std::unique_ptr<ConfigMaps> client() const {
    auto client = ConfigMaps::create({.base = *http::parse_url(server_.url())});
    EXPECT_TRUE(client);
    return *std::move(client);
  }
  // Puts a line in front.
  static ConfigMaps::Edit adding(const std::string& line) {
    return [line](std::string_view text) -> base::Result<std::string> { return line + "\n" + std::string(text); };
  }
  test::FakeConfigMaps server_;
  const ConfigMapName name_ = {"shop", "rules", ""};
};

TEST_F(ConfigMapsTest, ReadsWhatIsThereAndWhatIsNot) {
  server_.put("shop/rules", {{"rules", "x"}});
  EXPECT_EQ(client()->read(name_)->text, "x");
  const auto none = client()->read({"shop", "other", "k"});
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_EQ(*none, (ConfigMapText{.key = "k"}));
}

TEST_F(ConfigMapsTest, AnEditKeepsAllElse) {
  server_.put("shop/rules", {{"rules", "b\n"}, {"other", "o"}});
  const auto edited = client()->edit(name_, adding("a"));
  ASSERT_TRUE(edited) << edited.error().message;
  EXPECT_FALSE(edited->created);
  EXPECT_EQ(*server_.get("shop/rules"), (test::FakeConfigMaps::Data{{"rules", "a\nb\n"}, {"other", "o"}}));
}

TEST_F(ConfigMapsTest, AnEditMakesWhatDoesNotExist) {
  const auto edited = client()->edit(name_, adding("a"));
  ASSERT_TRUE(edited) << edited.error().message;
  EXPECT_TRUE(edited->created);
  EXPECT_EQ(edited->key, "rules");
  EXPECT_EQ(*server_.get("shop/rules"), (test::FakeConfigMaps::Data{{"rules", "a\n"}}));
  EXPECT_FALSE(client()->edit({"shop", "rules", "more"}, adding("b"))->created);
  EXPECT_EQ(*server_.get("shop/rules"), (test::FakeConfigMaps::Data{{"rules", "a\n"}, {"more", "b\n"}}));
}

TEST_F(ConfigMapsTest, ATextThatStaysIsNotWritten) {
  server_.put("shop/rules", {{"rules", "b"}});
  ASSERT_TRUE(client()->edit(name_, [](std::string_view text) -> base::Result<std::string> { return std::string(text); }));
  for (const auto& request : server_.requests()) EXPECT_EQ(request.method, "GET");
}

TEST_F(ConfigMapsTest, AConflictBeginsAnew) {
  server_.put("shop/rules", {{"rules", "c\n"}});
  int writes = 0;
  server_.before_write([&] {
    if (writes++ < 2) server_.put("shop/rules", {{"rules", "other " + std::to_string(writes) + "\n"}});
  });
  ASSERT_TRUE(client()->edit(name_, adding("a")));
  EXPECT_EQ(server_.get("shop/rules")->at("rules"), "a\nother 2\n");
  EXPECT_EQ(writes, 3);
}

TEST_F(ConfigMapsTest, WhoMakesItAtTheSameTimeIsNotOverwritten) {
  bool raced = false;
  server_.before_write([&] {
    if (!std::exchange(raced, true)) server_.put("shop/rules", {{"rules", "first\n"}});
  });
  ASSERT_TRUE(client()->edit(name_, adding("a")));
  EXPECT_EQ(server_.get("shop/rules")->at("rules"), "a\nfirst\n");
}

TEST_F(ConfigMapsTest, GivesUpWhereOthersNeverStop) {
  server_.put("shop/rules", {{"rules", ""}});
  server_.before_write([&] { server_.put("shop/rules", {{"rules", ""}}); });
  const auto edited = client()->edit(name_, adding("a"));
  ASSERT_FALSE(edited);
  EXPECT_EQ(edited.error().code, Code::busy);
}

TEST_F(ConfigMapsTest, AnEditThatFailsWritesNothing) {
  const auto edited =
      client()->edit(name_, [](std::string_view) -> base::Result<std::string> { return base::fail(Code::usage, "no"); });
  ASSERT_FALSE(edited);
  EXPECT_EQ(edited.error().message, "no");
  EXPECT_FALSE(client()->edit(name_, adding("\xff")));
  EXPECT_FALSE(server_.get("shop/rules"));
}

TEST_F(ConfigMapsTest, WithoutRightsItSaysWhatToAskFor) {
  server_.refuse(
      403, "Forbidden",
      R"(configmaps "rules" is forbidden: User "jane" cannot get resource "configmaps" in API group "" in the namespace "shop")");
  const auto text = client()->read(name_);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::config);
  EXPECT_THAT(text.error().message,
              HasSubstr(R"(cannot read ConfigMap 'shop/rules': configmaps "rules" is forbidden: User "jane" cannot get)"));
  EXPECT_THAT(text.error().hint,
              HasSubstr("kubectl create role rules-read -n shop --resource=configmaps --verb=get --resource-name=rules\n"));
  EXPECT_THAT(text.error().hint, HasSubstr("--role=rules-read --user=jane"));
  server_.refuse(0);
  server_.put("shop/rules", {});
  server_.before_write([&] { server_.refuse(403, "Forbidden", R"(User "system:serviceaccount:logging:weir" cannot patch)"); });
  EXPECT_THAT(client()->edit(name_, adding("a")).error().hint, HasSubstr("--verb=get,patch --resource-name=rules"));
  EXPECT_THAT(client()->edit(name_, adding("a")).error().hint, HasSubstr("--verb=get,patch,create\n"));
  server_.refuse(0);
  EXPECT_THAT(client()->edit(name_, adding("a")).error().hint, HasSubstr("--serviceaccount=logging:weir"));
  server_.refuse(0);
  server_.erase("shop/rules");
  const auto created = client()->edit(name_, adding("a"));
  EXPECT_THAT(created.error().message, HasSubstr("cannot create ConfigMap 'shop/rules'"));
  EXPECT_THAT(created.error().hint, HasSubstr("--verb=get,patch,create\n"));
}

TEST_F(ConfigMapsTest, OtherAnswersAreErrors) {
  const auto fails = [&](Code code, const std::string& words) {
    const auto text = client()->read(name_);
    ASSERT_FALSE(text) << words;
    EXPECT_EQ(text.error().code, code) << text.error().message;
    EXPECT_THAT(text.error().message, HasSubstr(words));
  };
  server_.refuse(401, "Unauthorized", "Unauthorized");
  fails(Code::config, "does not accept the token");
  server_.refuse(500, "InternalError", "etcd is gone");
  fails(Code::network, "etcd is gone");
  server_.refuse(404);
  fails(Code::network, "is no Kubernetes API server");
  server_.refuse(0);
  const auto nowhere = client()->edit({"nowhere", "rules", ""}, adding("a"));
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().hint, HasSubstr("kubectl create namespace nowhere"));
}

}  // namespace
}  // namespace weir::kube
