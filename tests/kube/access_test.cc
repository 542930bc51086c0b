#include "kube/access.h"

#include "support/collect.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir::kube {
namespace {

const char* in_pod(const char* name) {
  static const std::map<std::string, const char*> values = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                                                            {"KUBERNETES_SERVICE_PORT", "6443"}};
  const auto found = values.find(name);
  return found == values.end() ? nullptr : found->second;
}

const char* in_pod_with_ipv6(const char* name) {
  static const std::map<std::string, const char*> values = {{"KUBERNETES_SERVICE_HOST", "fd00::1"}};
  const auto found = values.find(name);
  return found == values.end() ? nullptr : found->second;
}

const char* outside(const char*) { return nullptr; }

TEST(AccessTest, CompletesTheOptionsFromThePod) {
  struct Case {
    Access access;
    const char* (*environment)(const char*);
    std::string url, token, ca;
  };
  const Case cases[] = {
      {{}, in_pod, "https://10.0.0.1:6443", "/sa/token", "/sa/ca.crt"},
      {{}, in_pod_with_ipv6, "https://[fd00::1]:443", "/sa/token", "/sa/ca.crt"},
      {{.token_file = "/mine"}, in_pod, "https://10.0.0.1:6443", "/mine", "/sa/ca.crt"},
      {{.ca_file = "/ca"}, in_pod, "https://10.0.0.1:6443", "/sa/token", "/ca"},
      // The token of the pod goes to no other server.
      {{.server = "http://127.0.0.1:8001"}, in_pod, "http://127.0.0.1:8001", "", ""},
      {{.server = "https://k8s.example:6443/prefix", .token_file = "t", .ca_file = "c"},
       outside,
       "https://k8s.example:6443/prefix",
       "t",
       "c"},
      {{.server = "http://127.0.0.1:8001"}, nullptr, "http://127.0.0.1:8001", "", ""},
  };
  test::RememberingDiagnostics diagnostics;
  for (const Case& one : cases) {
    const auto config = client_config(one.access, one.environment, &diagnostics, "/sa");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->base.display(), one.url);
    EXPECT_EQ(config->bearer_token_file, one.token);
    EXPECT_EQ(config->ca_file, one.ca);
    EXPECT_FALSE(config->tls_skip_verify);
    EXPECT_EQ(config->diagnostics, &diagnostics);
  }
}

TEST(AccessTest, SaysWhatIsMissing) {
  const auto nowhere = client_config({}, outside, nullptr);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, base::Code::config);
  EXPECT_NE(nowhere.error().message.find("--kube-server"), std::string::npos);
  EXPECT_NE(nowhere.error().hint.find("kubectl proxy"), std::string::npos);
  const auto wrong = client_config({.server = "ftp://x"}, outside, nullptr);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, base::Code::usage);
  EXPECT_NE(wrong.error().hint.find("--kube-server"), std::string::npos);
}

TEST(AccessTest, NoTokenGoesElsewhereInClear) {
  const auto wrong = client_config({.server = "http://10.0.0.1:8080", .token_file = "t"}, outside, nullptr);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, base::Code::usage);
  EXPECT_NE(wrong.error().hint.find("https://"), std::string::npos);
  EXPECT_TRUE(client_config({.server = "http://10.0.0.1:8080"}, outside, nullptr));
  EXPECT_TRUE(client_config({.server = "http://127.0.0.1:8080", .token_file = "t"}, outside, nullptr));
  EXPECT_TRUE(client_config({.server = "http://[::1]:8080", .token_file = "t"}, outside, nullptr));
}

const char* with_proxy(const char* name) {
  static const std::map<std::string, const char*> values = {
      {"http_proxy", "http://me:secret@proxy:3128"}, {"HTTPS_PROXY", "proxy2:1"}, {"no_proxy", "other, .internal,10.0.0.9"}};
  const auto found = values.find(name);
  return found == values.end() ? nullptr : found->second;
}

TEST(AccessTest, Proxies) {
  const auto proxy = [](const std::string& server) {
    const auto config = client_config({.server = server}, with_proxy, nullptr);
    return config->direct ? "direct" : config->environment_proxy;
  };
  EXPECT_EQ(proxy("http://127.0.0.1:8001"), "direct");
  EXPECT_EQ(proxy("http://localhost:8001"), "direct");
  EXPECT_EQ(proxy("http://k8s:8001"), "http://proxy:3128");
  EXPECT_EQ(proxy("https://k8s:6443"), "http://proxy2:1");
  EXPECT_EQ(proxy("https://api.internal:6443"), "");
  EXPECT_EQ(proxy("https://10.0.0.9:6443"), "");
}

}  // namespace
}  // namespace weir::kube
