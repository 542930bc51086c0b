#include "cli/pod_options.h"

#include "support/collect.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <fstream>
#include <string>
#include <vector>

namespace weir::cli {
namespace {

using base::Code;
using testing::HasSubstr;

const char* nothing(const char*) { return nullptr; }

const char* in_a_pod(const char* name) { return std::string_view(name) == "KUBERNETES_SERVICE_HOST" ? "10.0.0.1" : nullptr; }

const char* with_node(const char* name) {
  const std::string_view wanted = name;
  if (wanted == "NODE_NAME") return "node-7";
  if (wanted == "NODE_IP") return "10.0.0.7";
  if (wanted == "HOST_IP") return "10.0.0.8";
  return in_a_pod(name);
}

const char* with_host_ip(const char* name) {
  return std::string_view(name) == "HOST_IP" ? "fd00::8" : std::string_view(name) == "NODE_NAME" ? "n" : nullptr;
}

PodOptions read(std::vector<std::string> arguments) {
  CLI::App app;
  PodOptions options;
  declare(app, options);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return options;
}

TEST(PodOptions, Parsed) {
  const PodOptions options = read({"--kubernetes",      "api", "--pod-label",      "app.kubernetes.io/version",
                                   "--pod-label",       "a=b", "--pod-annotation", "c=d",
                                   "--pod-metadata",    "e",   "--labels-like",    "alloy-docs",
                                   "--node-name",       "n",   "--kube-server",    "http://s",
                                   "--kube-token-file", "/t",  "--kube-ca",        "/ca",
                                   "--pod-cache",       "/c"});
  EXPECT_EQ(options.from, PodOptions::From::api);
  EXPECT_TRUE(options.asks());
  EXPECT_EQ(options.labels.labels,
            (std::vector<stages::PodName>{{"app.kubernetes.io/version", "app_kubernetes_io_version"}, {"a", "b"}}));
  EXPECT_EQ(options.labels.annotations, (std::vector<stages::PodName>{{"c", "d"}}));
  EXPECT_EQ(options.labels.metadata, (std::vector<stages::PodName>{{"e", "e"}}));
  EXPECT_EQ(options.labels.scheme, stages::PodScheme::alloy_docs);
  EXPECT_TRUE(check(options).ok());
  const auto spec = pods_spec(options, "/var/lib/weir/spool.db", nothing);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->node, "n");
  EXPECT_EQ(spec->access, (kube::Access{"http://s", "/t", "/ca"}));
  EXPECT_EQ(spec->cache_file, "/c");
  EXPECT_TRUE(spec->wanted.labels.contains("a"));
}

TEST(PodOptions, ByDefaultNobodyIsAsked) {
  const PodOptions options = read({});
  EXPECT_EQ(options.from, PodOptions::From::path);
  EXPECT_FALSE(options.asks());
  EXPECT_TRUE(check(options).ok());
}

TEST(PodOptions, CheckFails) {
  const auto f = [](std::vector<std::string> arguments, std::string_view fragment) {
    const auto checked = check(read(arguments));
    ASSERT_FALSE(checked.ok()) << fragment;
    EXPECT_EQ(checked.error().code, Code::usage);
    EXPECT_THAT(checked.error().message, HasSubstr(std::string(fragment)));
  };
  f({"--pod-label", "a"}, "--pod-label needs --kubernetes api or kubelet");
  f({"--kubernetes", "none", "--pod-annotation", "a"}, "--pod-annotation needs");
  f({"--pod-metadata", "a"}, "--pod-metadata needs");
  f({"--labels-like", "promtail"}, "--labels-like needs");
  f({"--node-name", "a"}, "--node-name needs");
  f({"--kubernetes", "api", "--node-name", "a,metadata.name=b"}, "'a,metadata.name=b' is no name of a node");
  f({"--kubernetes", "kubelet", "--node-name", "A"}, "is no name of a node");
  f({"--pod-cache", "a"}, "--pod-cache needs");
  f({"--kube-token-file", "a"}, "--kube-token-file needs");
  f({"--kube-server", "http://a"}, "--kube-server needs --kubernetes api");
  f({"--kubernetes", "kubelet", "--kubelet-insecure", "--kube-ca", "a"}, "--kube-ca needs --kubernetes api");
  f({"--kubernetes", "api", "--kubelet", "https://a"}, "--kubelet needs --kubernetes kubelet");
  f({"--kubernetes", "api", "--kubelet-ca", "a"}, "--kubelet-ca needs");
  f({"--kubernetes", "api", "--kubelet-insecure"}, "--kubelet-insecure needs");
  f({"--kubernetes", "kubelet"}, "needs --kubelet-ca FILE");
  f({"--kubernetes", "kubelet", "--kubelet", "https://a"}, "needs --kubelet-ca FILE");
  f({"--kubernetes", "kubelet", "--kubelet-ca", "a", "--kubelet-insecure"}, "contradict");
}

TEST(PodOptions, CheckSucceeds) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--kubernetes", "kubelet", "--kubelet-ca", "a"},
                                             {"--kubernetes", "kubelet", "--kubelet-insecure"},
                                             {"--kubernetes", "kubelet", "--kubelet", "http://127.0.0.1:10255"},
                                             {"--kubernetes", "kubelet", "--kubelet-insecure", "--kube-token-file", "t"},
                                             {"--kubernetes", "none"}})
    EXPECT_TRUE(check(read(arguments)).ok());
}

TEST(PodOptions, TheNodesName) {
  const auto node = [](std::vector<std::string> arguments, const char* (*environment)(const char*)) {
    const auto spec = pods_spec(read(std::move(arguments)), std::nullopt, environment);
    return spec.ok() ? spec->node : "error: " + spec.error().message;
  };
  EXPECT_EQ(node({"--kubernetes", "api", "--node-name", "n"}, with_node), "n");
  EXPECT_EQ(node({"--kubernetes", "api"}, with_node), "node-7");
  EXPECT_THAT(node({"--kubernetes", "api"}, in_a_pod),
              HasSubstr("error: the name of this node is not known: NODE_NAME is not set"));
  const std::string host = node({"--kubernetes", "api"}, nothing);
  EXPECT_THAT(host, testing::Not(testing::AnyOf(HasSubstr("error"), testing::IsEmpty())));
  EXPECT_EQ(node({"--kubernetes", "api"}, nullptr), host);
}

TEST(PodOptions, TheKubeletsAddress) {
  const auto kubelet = [](std::vector<std::string> arguments, const char* (*environment)(const char*)) {
    arguments.insert(arguments.begin(), {"--kubernetes", "kubelet", "--kubelet-insecure"});
    const auto spec = pods_spec(read(std::move(arguments)), std::nullopt, environment);
    return spec.ok() ? spec->kubelet : "error: " + spec.error().message;
  };
  EXPECT_EQ(kubelet({"--kubelet", "https://a:1"}, with_node), "https://a:1");
  EXPECT_EQ(kubelet({}, with_node), "https://10.0.0.7:10250");
  EXPECT_EQ(kubelet({}, with_host_ip), "https://[fd00::8]:10250");
  EXPECT_THAT(kubelet({}, nothing), HasSubstr("neither NODE_IP nor HOST_IP is set"));
}

TEST(PodOptions, TheCacheStandsBesideTheKeepersFile) {
  const PodOptions options = read({"--kubernetes", "api"});
  EXPECT_EQ(pods_spec(options, "/var/lib/weir/spool.db", with_node)->cache_file, "/var/lib/weir/spool.db-pods");
  EXPECT_EQ(pods_spec(options, std::nullopt, with_node)->cache_file, "");
}

TEST(PodOptions, RehearsalReadsFilesAndConnectsToNothing) {
  test::TestContext context;
  const test::TempDir dir;
  const auto f = [&](std::vector<std::string> arguments) {
    const auto spec = pods_spec(read(std::move(arguments)), std::nullopt, with_node);
    EXPECT_TRUE(spec.ok());
    const auto rehearsed = kube::Pods::check(*spec, context.context.environment, *context.context.diagnostics);
    return rehearsed.ok() ? std::string() : rehearsed.error().message;
  };
  EXPECT_EQ(f({"--kubernetes", "api", "--kube-server", "http://127.0.0.1:1"}), "");
  EXPECT_NE(f({"--kubernetes", "api", "--kube-server", "http://127.0.0.1:1", "--kube-token-file", dir / "none"}), "");
  EXPECT_NE(f({"--kubernetes", "api", "--kube-server", "//"}), "");
  EXPECT_THAT(f({"--kubernetes", "api"}), HasSubstr("--kube-server is not given"));
  EXPECT_EQ(f({"--kubernetes", "kubelet", "--kubelet-insecure"}), "");
  EXPECT_NE(f({"--kubernetes", "kubelet", "--kubelet-ca", dir / "none"}), "");
  EXPECT_NE(f({"--kubernetes", "kubelet", "--kubelet-insecure", "--kubelet", "//"}), "");
}

}  // namespace
}  // namespace weir::cli
