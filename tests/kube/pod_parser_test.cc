#include "kube/pod_parser.h"

#include "kube/pod_directory.h"
#include "support/fake_kube.h"

#include <gtest/gtest.h>

#include <malloc.h>

#include <cstdio>
#include <string>

namespace weir::kube {
namespace {

using test::pod_json;

TEST(PodParserTest, ReadsWhatIsWanted) {
  PodParser parser({{"app", "team", "pod-template-hash"}, {"build"}});
  const auto pod =
      parser.parse(pod_json("6f1c", "shop", "web-5d8-x", R"("team":"a\"b","app":"web","other":"x","pod-template-hash":"5d8")",
                            R"("build":"7","long":"y")",
                            R"(,"managedFields":[{}],"ownerReferences":[{"kind":"Extra","name":"e"},)"
                            R"({"kind":"ReplicaSet","name":"web-5d8","controller":true}])"));
  ASSERT_TRUE(pod);
  EXPECT_EQ(*pod, (Pod{.uid = "6f1c",
                       .namespace_name = "shop",
                       .name = "web-5d8-x",
                       .labels = {{"app", "web"}, {"pod-template-hash", "5d8"}, {"team", "a\"b"}},
                       .annotations = {{"build", "7"}},
                       .owner_kind = "ReplicaSet",
                       .owner_name = "web-5d8"}));
  EXPECT_EQ(workload_of(*pod), (Workload{"Deployment", "web"}));
}

TEST(PodParserTest, ReadsAWholePod) {
  PodParser parser({{"app"}, {}});
  const auto pod = parser.parse(R"({"metadata":{"name":"web","namespace":"shop","uid":"u","labels":{"app":"web"}},)"
                                R"("spec":{"containers":[{"name":"c"}]},"status":{}})");
  ASSERT_TRUE(pod);
  EXPECT_EQ(*pod, (Pod{.uid = "u", .namespace_name = "shop", .name = "web", .labels = {{"app", "web"}}}));
}

TEST(PodParserTest, OfAMirrorPodTheHashIsTheUidAndTheNodeIsNoOwner) {
  PodParser parser({});
  const auto pod =
      parser.parse(pod_json("b7a6", "kube-system", "etcd-node-1", "",
                            R"("kubernetes.io/config.hash":"0123456789abcdef","kubernetes.io/config.mirror":"0123456789abcdef")",
                            R"(,"ownerReferences":[{"kind":"Node","name":"node-1","controller":true}])"));
  ASSERT_TRUE(pod);
  EXPECT_EQ(*pod, (Pod{.uid = "0123456789abcdef", .namespace_name = "kube-system", .name = "etcd-node-1"}));
}

TEST(PodParserTest, NoPodTakesThePlaceOfAnother) {
  PodParser parser({});
  const auto pod = parser.parse(pod_json("11111111-1111-4111-8111-111111111111", "evil", "p", "",
                                         R"("kubernetes.io/config.hash":"22222222-2222-4222-8222-222222222222")"));
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->uid, "11111111-1111-4111-8111-111111111111");
}

TEST(PodParserTest, ExcludesOnlyForTheWordTrue) {
  PodParser parser({});
  const auto excluded = [&](std::string_view annotations) {
    return parser.parse(pod_json("u", "n", "p", "", annotations))->excluded;
  };
  EXPECT_TRUE(excluded(R"("weir.io/exclude":"true")"));
  EXPECT_FALSE(excluded(R"("weir.io/exclude":"false")"));
  EXPECT_FALSE(excluded(R"("weir.io/exclude":"TRUE")"));
  EXPECT_FALSE(excluded(R"("weir.io/exclude":true)"));
  EXPECT_FALSE(excluded(""));
}

TEST(PodParserTest, KeepsAPodSmall) {
  PodParser parser({{"app"}, {"note"}});
  const std::string long_note = std::string(1023, 'x') + "\xc3\xa4" + std::string(100'000, 'y');
  const auto pod =
      parser.parse(pod_json("u", "n", "p", R"("x":")" + std::string(60, 'l') + "\"", "\"note\":\"" + long_note + "\""));
  ASSERT_TRUE(pod);
  EXPECT_TRUE(pod->labels.empty());
  EXPECT_EQ(pod->annotation("note"), std::string(1023, 'x'));
}

// What a pod costs in the directory, with its place there.
TEST(PodParserTest, APodCostsTwoKilobytesAtMost) {
  constexpr std::size_t kPods = 250;
  PodParser parser({{"app", "app.kubernetes.io/name", "app.kubernetes.io/component", "team", "pod-template-hash"}, {"build"}});
  const auto json = [](std::size_t i) {
    const std::string number = std::to_string(100'000'000'000 + i);
    return pod_json(
        "6f1c2d3e-4f50-4a6b-8c7d-" + number, "shop-production", "checkout-service-7d9f8b6c5d-" + number,
        R"("app":"checkout-service","app.kubernetes.io/name":"checkout-service","app.kubernetes.io/component":"server",)"
        R"("team":"payments","pod-template-hash":"7d9f8b6c5d","not-wanted":")" +
            std::string(63, 'x') + "\"",
        R"("build":"2026-11-30","note":")" + std::string(100'000, 'y') + "\"",
        R"(,"ownerReferences":[{"kind":"ReplicaSet","name":"checkout-service-7d9f8b6c5d","controller":true}])");
  };
  PodDirectory directory;
  directory.put(*parser.parse(json(kPods)));
  const std::size_t before = ::mallinfo2().uordblks;  // 0 with a sanitizer
  for (std::size_t i = 0; i < kPods; ++i) directory.put(*parser.parse(json(i)));
  const std::size_t each = (::mallinfo2().uordblks - before) / kPods;
  ASSERT_EQ(directory.size(), kPods + 1);
  RecordProperty("bytes", std::to_string(each));
  std::printf("a pod costs %zu bytes\n", each);
  EXPECT_LE(each, 2048U);
}

TEST(PodParserTest, RefusesWhatIsNoPod) {
  PodParser parser({{"app"}, {}});
  const std::string long_name(300, 'x');
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("[]"), std::string("{}"), std::string("{\"metadata\":null}"),
        std::string("{\"metadata\":{}}"), pod_json("", "n", "p"), pod_json("u", "", "p"), pod_json("u", "n", ""),
        pod_json(long_name, "n", "p"), pod_json("u", "n", long_name),
        std::string(R"({"metadata":{"uid":1,"namespace":"n","name":"p"}})"),
        std::string(R"({"metadata":{"uid":"u","namespace":"n","name":"p"})"), std::string("{\"metadata\":{\"uid\":\"\xff\"}}")}) {
    EXPECT_FALSE(parser.parse(text)) << text;
  }
  // Parts that are not what they should be count as absent.
  const auto pod = parser.parse(R"({"metadata":{"uid":"u","namespace":"n","name":"p","labels":{"app":7},"annotations":[],)"
                                R"("ownerReferences":[1,{"controller":true}]}})");
  ASSERT_TRUE(pod);
  EXPECT_EQ(*pod, (Pod{.uid = "u", .namespace_name = "n", .name = "p"}));
}

}  // namespace
}  // namespace weir::kube
