#include "tail/selection.h"
#include "record/pod_path.h"

#include <gtest/gtest.h>

namespace weir::tail {
namespace {

using record::PodPath;

PodPath path(std::string_view name_space, std::string_view pod, std::string_view container) {
  return {name_space, pod, "u", container};
}

TEST(Selection, WantsEverythingByDefault) {
  EXPECT_TRUE(Selection().wants(path("a", "b", "c")));
  EXPECT_TRUE(Selection().wants(std::nullopt));
}

TEST(Selection, Pods) {
  const auto f = [](const std::string& pattern, std::string_view pod, bool want) {
    Selection selection;
    selection.pods = {pattern};
    EXPECT_EQ(selection.wants(path("n", pod, "c")), want) << pattern << " " << pod;
    EXPECT_EQ(selection.wants_pod(path("n", pod, "")), want) << pattern << " " << pod;
  };
  f("web", "web", true);
  f("web", "web-5d8f7c9b4-x2x7k", true);
  f("web", "webhook", false);
  f("web", "my-web", false);
  f("web-*", "web-1", true);
  f("web-?", "web-1", true);
  f("web-?", "web-1-2", false);
  f("w[ae]b", "wab", true);
  f("w[ae]b", "wab-1", false);
}

TEST(Selection, AllOfSeveralOptionsAnyOfTheirValues) {
  Selection selection;
  selection.namespaces = {"shop", "pay*"};
  selection.containers = {"app"};
  EXPECT_TRUE(selection.wants(path("shop", "x", "app")));
  EXPECT_TRUE(selection.wants(path("payments", "x", "app")));
  EXPECT_FALSE(selection.wants(path("other", "x", "app")));
  EXPECT_FALSE(selection.wants(path("shop", "x", "sidecar")));
  EXPECT_FALSE(selection.wants(std::nullopt));
}

TEST(Selection, Exclusions) {
  Selection selection;
  selection.exclude_namespaces = {"kube-*"};
  selection.exclude_pods = {"noisy"};
  selection.exclude_containers = {"istio-proxy"};
  EXPECT_TRUE(selection.wants(path("shop", "web", "app")));
  EXPECT_TRUE(selection.wants(std::nullopt));
  EXPECT_FALSE(selection.wants(path("kube-system", "web", "app")));
  EXPECT_FALSE(selection.wants(path("shop", "noisy-1", "app")));
  EXPECT_FALSE(selection.wants(path("shop", "web", "istio-proxy")));
}

}  // namespace
}  // namespace weir::tail
