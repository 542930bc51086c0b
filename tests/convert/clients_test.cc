#include "convert/clients.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What stands behind push.
std::string push_of(const std::string& client, std::vector<std::string>* found = nullptr) {
  const Conversion conversion = made("clients:\n- " + client + "\n" + kJob);
  if (found != nullptr) *found = differences(conversion);
  const std::string text = pipelines(conversion);
  const std::size_t at = text.find("| push");
  return at == std::string::npos ? text : text.substr(at + 6, text.size() - at - 7);
}

TEST(PromtailClients, BecomePush) {
  const std::pair<const char*, const char*> cases[] = {
      {"{url: 'http://loki/loki/api/v1/push'}", " http://loki/loki/api/v1/push"},
      {"{url: http://l, tenant_id: a, batchwait: 2s, batchsize: 102400, timeout: 5s}",
       " --tenant a --batch-wait 2s --timeout 5s --batch-size 102400 http://l"},
      {"{url: http://l, basic_auth: {username: u, password_file: /p}}", " --password-file /p --username u http://l"},
      {"{url: http://l, bearer_token_file: /t}", " --bearer-token-file /t http://l"},
      {"{url: http://l, authorization: {credentials_file: /t}}", " --bearer-token-file /t http://l"},
      {"{url: https://l, tls_config: {ca_file: /ca, cert_file: /c, key_file: /k, insecure_skip_verify: true}}",
       " --ca-cert /ca --cert /c --key /k --tls-skip-verify https://l"},
      {"{url: http://l, headers: {X-A: b}, proxy_url: http://p}", " --header 'X-A: b' --proxy-url http://p http://l"},
      {"{url: http://l, backoff_config: {max_retries: 3}, follow_redirects: true}", " http://l"}};
  for (const auto& [client, push] : cases) {
    std::vector<std::string> found;
    EXPECT_EQ(push_of(client, &found), push) << client;
    EXPECT_THAT(found, IsEmpty()) << client;
  }
}

TEST(PromtailClients, KeepNoSecretInTheText) {
  for (const char* const client :
       {"{url: 'http://u:hunter2@l/x'}", "{url: http://l, basic_auth: {username: u, password: hunter2}}",
        "{url: http://l, bearer_token: hunter2}", "{url: http://l, authorization: {credentials: hunter2}}",
        "{url: http://l, headers: {Authorization: Basic hunter2}}", "{url: http://l, headers: {X-Auth: 'Bearer hunter2${X}'}}",
        "{url: http://l, proxy_url: 'http://u:hunter2@p'}", "{url: 'http://u:${PW:-hunter2}@l'}"}) {
    for (const char* const more : {"", "- {url: http://m}\n"}) {
      const auto conversion = made(std::string("clients:\n- ") + client + "\n" + more + kJob);
      EXPECT_EQ(conversion.pipelines.find("hunter2"), std::string::npos) << conversion.pipelines;
      for (const Finding& one : conversion.findings) EXPECT_EQ((one.what + one.advice).find("hunter2"), std::string::npos);
      EXPECT_GE(conversion.count(Severity::note), 1U) << client;
      EXPECT_TRUE(conversion.complete());
    }
  }
  EXPECT_EQ(push_of("{url: 'http://u:hunter2@l/x'}"), " --username u http://l/x");
  EXPECT_EQ(push_of("{url: http://l, basic_auth: {username: u, password: '${PW}'}}"),
            " --username u --password \"${PW}\" http://l");
}

TEST(PromtailClients, SecretsThatWeirCannotUseAreNotSaidEither) {
  for (const char* const client :
       {"{url: 'http://u:hunter/2@l'}", "{url: 'http://u:${PW^^hunter}@l'}", "{url: http://l, tls_config: {key: hunter}}",
        "{url: http://l, oauth2: {client_secret: hunter}}", "{url: http://l, headers: {Cookie: [hunter]}}",
        "{url: http://l, headers: {Cookie: \"hunter\\n\"}}", "{url: http://l, authorization: {type: Digest, credentials: hunter}}",
        "{url: http://l, proxy_connect_header: {A: [hunter]}}", "{url: http://l, pasword: hunter}"}) {
    const auto conversion = made(std::string("clients:\n- ") + client + "\n" + kJob);
    EXPECT_EQ(conversion.pipelines.find("hunter"), std::string::npos) << conversion.pipelines;
    for (const Finding& one : conversion.findings) EXPECT_EQ((one.what + one.advice).find("hunter"), std::string::npos) << client;
    EXPECT_FALSE(conversion.complete()) << client;
  }
  const auto pods = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: k\n  kubernetes_sd_configs: [{role: pod, api_server: "
      "'https://u:hunter@k', "
      "basic_auth: {username: u, password: hunter}}]\n- {job_name: q, kafka: {brokers: [b], authentication: {sasl_config: "
      "{password: "
      "hunter}}}}\n");
  EXPECT_EQ(pods.pipelines.find("hunter"), std::string::npos) << pods.pipelines;
  for (const Finding& one : pods.findings) EXPECT_EQ((one.what + one.advice).find("hunter"), std::string::npos);
}

TEST(PromtailClients, EachSecretHeaderHasItsVariable) {
  EXPECT_EQ(
      push_of("{url: http://l, headers: {Cookie: a, X-Api-Key: b, Authorization: 'Bearer ${T}'}}"),
      " --header \"Cookie: ${WEIR_HEADER_1}\" --header \"X-Api-Key: ${WEIR_HEADER_1_2}\" --header \"Authorization: Bearer ${T}\" "
      "http://l");
}

TEST(PromtailClients, WhatPushRefusesIsListed) {
  struct Case {
    const char *client, *push, *found;
  };
  const Case cases[] = {
      {"{url: 'ftp://l'}", "", "not expressible clients[0].url"},
      {"{url: http://l, tenant_id: a/b}", " http://l", "not expressible clients[0].tenant_id"},
      {"{url: http://l, headers: {X-A: \"b\\r\\nX-B: c\"}}", " http://l", "not expressible clients[0].headers.X-A"},
      {"{url: http://l, headers: {X A: b}}", " http://l", "not expressible clients[0].headers.X A"},
      {"{url: http://l, batchsize: 1}", " --batch-size 4096 http://l", "note clients[0].batchsize"},
      {"{url: http://l, batchsize: 10mb}", " --batch-size 4194304 http://l", "note clients[0].batchsize"},
      {"{url: http://l, timeout: 0s}", " http://l", "note clients[0].timeout"}};
  for (const Case& one : cases) {
    std::vector<std::string> found;
    EXPECT_EQ(push_of(one.client, &found), one.push) << one.client;
    EXPECT_THAT(found, ElementsAre(one.found)) << one.client;
  }
}

}  // namespace
}  // namespace weir::convert
