#include "cli/loki_options.h"

#include "base/secrets.h"
#include "http/client.h"
#include "support/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <optional>

namespace weir::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const char* nothing(const char*) { return nullptr; }

const char* basic(const char* name) {
  const std::string_view wanted = name;
  if (wanted == "LOKI_ADDR") return "https://loki.example/x";
  if (wanted == "LOKI_ORG_ID") return "shop";
  if (wanted == "LOKI_USERNAME") return "me";
  if (wanted == "LOKI_PASSWORD") return "s3cret";
  if (wanted == "LOKI_TLS_SKIP_VERIFY") return "true";
  return nullptr;
}

const char* bearer(const char* name) {
  return std::string_view(name) == "LOKI_BEARER_TOKEN"   ? "tok"
         : std::string_view(name) == "LOKI_CA_CERT_PATH" ? "/ca.pem"
                                                         : nullptr;
}

class HidingDiagnostics : public test::RememberingDiagnostics {
 public:
  base::Secrets* secrets() override { return &secrets_; }

 private:
  base::Secrets secrets_;
};

struct Outcome {
  LokiOptions options;
  std::string tenant;
  base::Result<http::ClientConfig> config = http::ClientConfig{};
  std::vector<std::string> said;
  std::string redacted;  // all that the test holds for secret
};

// `command_line`: what the process was started with, where that is not the arguments (as in the text of a pipeline).
Outcome read(std::vector<std::string> arguments, const char* (*environment)(const char*) = nothing,
             const std::optional<std::vector<std::string>>& command_line = {}) {
  Outcome out;
  CLI::App app;
  declare(app, out.options);
  HidingDiagnostics diagnostics;
  diagnostics.secrets()->set_command_line(command_line.value_or(arguments));
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  auto target = loki_target(out.options, environment, &diagnostics);
  if (target) {
    out.config = target->http;
    out.tenant = target->tenant;
  } else {
    out.config = std::move(target).error();
  }
  out.said = diagnostics.said();
  out.redacted = diagnostics.secrets()->redact("s3cret bWU6czNjcmV0");
  return out;
}

TEST(LokiOptions, StandOnTheirOwn) {
  const auto out = read({});
  ASSERT_TRUE(out.config);
  EXPECT_EQ(out.config->base.display(), "http://localhost:3100");
  EXPECT_EQ(out.config->timeout, 30 * base::kSecond);
  EXPECT_THAT(out.said, IsEmpty());
}

TEST(LokiOptions, ComeFromTheCommandLine) {
  const auto out = read({"--addr",          "http://h/p",   "--org-id",         "t",       "--username", "u",
                         "--password-file", "/pw",          "--cert",           "/c",      "--key",      "/k",
                         "--header",        "X-One: 1",     "--header",         "X-Two:2", "--timeout",  "5s",
                         "--proxy-url",     "http://proxy", "--tls-skip-verify"});
  ASSERT_TRUE(out.config) << out.config.error().message;
  EXPECT_EQ(out.config->base.display(), "http://h/p");
  EXPECT_EQ(out.tenant, "t");
  EXPECT_EQ(out.config->username, "u");
  EXPECT_EQ(out.config->password_file, "/pw");
  EXPECT_EQ(out.config->cert_file, "/c");
  EXPECT_EQ(out.config->key_file, "/k");
  EXPECT_THAT(out.config->headers, ElementsAre(http::Header{"X-One", "1"}, http::Header{"X-Two", "2"}));
  EXPECT_EQ(out.config->timeout, 5 * base::kSecond);
  EXPECT_EQ(out.config->proxy, "http://proxy");
  EXPECT_TRUE(out.config->tls_skip_verify);
  EXPECT_THAT(out.said, ElementsAre(HasSubstr("the secret goes to http://h/p in clear")));
}

TEST(LokiOptions, TheEnvironmentStandsInForWhatIsNotGiven) {
  auto out = read({}, basic);
  ASSERT_TRUE(out.config);
  EXPECT_EQ(out.config->base.display(), "https://loki.example/x");
  EXPECT_EQ(out.tenant, "shop");
  EXPECT_EQ(out.config->username, "me");
  EXPECT_EQ(out.config->password, "s3cret");
  EXPECT_TRUE(out.config->tls_skip_verify);
  // Nothing of a command line: the secret was not on it.
  EXPECT_THAT(out.said, ElementsAre(HasSubstr("the certificate of https://loki.example/x is not checked")));

  out = read({"--tenant", "mine", "--addr", "http://h"}, basic);
  EXPECT_EQ(out.tenant, "mine");
  EXPECT_EQ(out.config->base.display(), "http://h");

  // One way to authenticate on the command line wins over the other in the environment.
  out = read({"--bearer-token-file", "/token"}, basic);
  ASSERT_TRUE(out.config) << out.config.error().message;
  EXPECT_EQ(out.config->username, "");
  out = read({"--username", "u", "--password-file", "/pw"}, bearer);
  ASSERT_TRUE(out.config);
  EXPECT_EQ(out.config->bearer_token, "");
  EXPECT_EQ(out.config->ca_file, "/ca.pem");
}

TEST(LokiOptions, ASecretOnTheCommandLineDrawsAWarning) {
  const auto f = [](const std::vector<std::string>& arguments, std::string_view option) {
    const auto out = read(arguments);
    ASSERT_TRUE(out.config) << option;
    ASSERT_EQ(out.said.size(), 1U) << option;
    EXPECT_THAT(out.said[0], HasSubstr(fmt::format("the secret of {} on the command line", option)));
    EXPECT_THAT(out.said[0], ::testing::Not(HasSubstr("s3cret")));
    EXPECT_THAT(out.redacted, ::testing::StartsWith("*** ")) << option;
  };
  f({"--username", "u", "--password", "s3cret"}, "--password");
  f({"--bearer-token", "s3cret"}, "--bearer-token");
  f({"--addr", "https://u:s3cret@loki:3100"}, "the URL");
  f({"--header", "Authorization: Bearer s3cret"}, "--header");
  f({"--header", "X-Api-Key: s3cret"}, "--header");
  f({"--proxy-url", "http://u:s3cret@proxy"}, "--proxy-url");
}

TEST(LokiOptions, ASecretElsewhereDrawsNone) {
  const auto silent = [](const Outcome& out) {
    ASSERT_TRUE(out.config);
    EXPECT_THAT(out.said, IsEmpty());
    EXPECT_THAT(out.redacted, ::testing::StartsWith("*** "));
  };
  silent(read({"--addr", "http://[::1]:3100"}, basic));
  // The text of a file of pipelines, or $PW in it.
  silent(read({"--password", "s3cret", "--username", "me"}, nothing, {{"run", "file"}}));
  silent(read({"--header", "Authorization: Bearer s3cret"}, nothing, {{"run", "push --header \"Authorization: Bearer $T\""}}));
  EXPECT_EQ(read({}, basic).redacted, "*** ***");  // as basic authentication sends it, too
  EXPECT_THAT(read({"--header", "X-Team: shop"}).said, IsEmpty());
}

TEST(LokiOptions, AWayThatOthersCanReadDrawsAWarning) {
  const auto said = [](const std::vector<std::string>& arguments) { return read(arguments, nothing, {{"run", "file"}}).said; };
  const auto clear = ElementsAre("the secret goes to http://loki:3100 in clear: use https://");
  EXPECT_THAT(said({"--addr", "http://u:s3cret@loki:3100"}), clear);
  EXPECT_THAT(said({"--addr", "loki:3100", "--username", "u", "--password", "s3cret"}), clear);
  EXPECT_THAT(said({"--addr", "http://loki:3100", "--username", "u", "--password-file", "/pw"}), clear);
  EXPECT_THAT(said({"--addr", "http://loki:3100", "--bearer-token", "s3cret"}), clear);
  EXPECT_THAT(said({"--addr", "http://loki:3100", "--bearer-token-file", "/token"}), clear);
  EXPECT_THAT(said({"--addr", "http://loki:3100", "--header", "Authorization: Bearer s3cret"}), clear);
  EXPECT_THAT(said({"--addr", "https://loki:3100", "--tls-skip-verify"}),
              ElementsAre(HasSubstr("the certificate of https://loki:3100 is not checked (--tls-skip-verify")));
  for (const char* safe : {"https://loki:3100", "http://localhost:3100", "http://127.0.0.9:3100", "http://[::1]:3100"})
    EXPECT_THAT(said({"--addr", safe, "--bearer-token", "s3cret"}), IsEmpty()) << safe;
  EXPECT_THAT(said({"--addr", "http://loki:3100", "--header", "X-Team: shop"}), IsEmpty());
}

TEST(LokiOptions, Failure) {
  const auto f = [](const std::vector<std::string>& arguments, std::string_view part) {
    const auto out = read(arguments);
    ASSERT_FALSE(out.config) << part;
    EXPECT_EQ(out.config.error().code, base::Code::usage) << part;
    EXPECT_THAT(out.config.error().message, HasSubstr(std::string(part)));
    EXPECT_THAT(out.config.error().message, ::testing::Not(HasSubstr("s3cret")));
  };
  f({"--username", "u", "--bearer-token-file", "/t"}, "together");
  f({"--password", "s3cret", "--password-file", "/p"}, "together");
  f({"--bearer-token", "s3cret", "--bearer-token-file", "/t"}, "together");
  f({"--cert", "/c"}, "both --cert and --key");
  f({"--addr", "ftp://h"}, "only http and https");
  f({"--header", "s3cret"}, "no name before a colon");
  f({"--header", "a b: s3cret"}, "its name holds a space");
  f({"--tenant", "a b"}, "cannot use the tenant");
}

}  // namespace
}  // namespace weir::cli
