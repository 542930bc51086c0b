#include "convert/promtail.h"

#include "convert/made.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kJob = "scrape_configs:\n- {job_name: j, static_configs: [{labels: {job: j, __path__: /var/log/a.log}}]}\n";

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

TEST(PromtailClients, OfSeveralEachHasItsPlaceInTheSpool) {
  const auto conversion =
      made("clients:\n- {url: http://a}\n- {url: http://b, name: second}\n- {url: http://c, external_labels: {site: x}}\n" + kJob);
  const std::string begin =
      "tail -f --positions /var/log/positions.yaml --format raw --filename label /var/log/a.log | enrich --no-service-name --label "
      "job=j";
  EXPECT_EQ(pipelines(conversion),
            begin +
                " | buffer /var/lib/weir/spool-j.db | push http://a\npush --spool /var/lib/weir/spool-j.db --as second http://b\n" +
                begin + " --label site=x | buffer /var/lib/weir/spool-j-2.db | push http://c\n");
  EXPECT_THAT(differences(conversion), IsEmpty());
}

TEST(PromtailClients, ExternalLabelsCountLess) {
  const auto conversion = made("clients: [{url: http://a, external_labels: {job: other, cluster: '${CLUSTER}'}}]\n" + kJob);
  EXPECT_THAT(pipelines(conversion), HasSubstr("enrich --no-service-name --label job=j --label \"cluster=${CLUSTER}\" |"));
}

TEST(PromtailKubernetes, NamesTheServerAndTheFilesForIt) {
  const std::string head =
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: p\n  relabel_configs: [{source_labels: "
      "[__meta_kubernetes_pod_label_team], target_label: team}]\n  kubernetes_sd_configs: [{role: pod, ";
  EXPECT_THAT(
      pipelines(made(head + "api_server: https://k, authorization: {credentials_file: /t}, tls_config: {ca_file: /ca}}]\n")),
      HasSubstr("--kube-server https://k --kube-ca /ca --kube-token-file /t"));
  EXPECT_THAT(differences(made(head + "authorization: {credentials: hunter2}}]\n")),
              ::testing::Contains("not expressible scrape_configs[0].kubernetes_sd_configs[0].authorization"));
}

TEST(PromtailVariables, StayVariables) {
  const auto conversion = made("clients: [{url: 'http://${LOKI:-loki}:3100'}]\n" + kJob);
  EXPECT_THAT(pipelines(conversion), HasSubstr("push \"http://${LOKI}:3100\""));
  EXPECT_THAT(said_of(conversion, "clients[0].url"), HasSubstr("the default was 'loki'"));
  // With -config.expand-env, $$ is a dollar sign.
  const std::string config =
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: j\n  static_configs: [{labels: {a: xy, __path__: /a}}]\n"
      "  relabel_configs: [{source_labels: [a], regex: 'x(.)', target_label: a, replacement: $$1}]\n";
  EXPECT_THAT(pipelines(made(config)), HasSubstr("--label 'a=$1'"));
  EXPECT_THAT(pipelines(made(config, {.expand_env = true})), HasSubstr("--label a=y"));
}

TEST(PromtailFiles, GroupTargetsWithTheSameLabels) {
  const auto conversion = made(
      "clients: [{url: http://l}]\npositions: {filename: /run/p.yaml}\nscrape_configs:\n- job_name: sys\n  static_configs:\n"
      "  - {targets: [localhost], labels: {job: sys, __path__: '/var/log/{a,b}.log'}}\n"
      "  - {labels: {job: sys, __path__: /var/log/c.log}}\n"
      "  - {labels: {job: web, __path__: '/var/log/nginx/**/*.log', __path_exclude__: '/var/log/nginx/old*'}}\n"
      "  - {labels: {job: none}}\n");
  EXPECT_EQ(pipelines(conversion),
            "tail -f --positions /run/p.yaml --format raw --filename label /var/log/a.log /var/log/b.log /var/log/c.log | enrich "
            "--no-service-name --label job=sys | buffer "
            "/var/lib/weir/spool-sys.db | push http://l\n"
            "tail -f --positions /run/p.yaml --format raw --filename label '/var/log/nginx/*.log' '/var/log/nginx/*/*.log' "
            "'/var/log/nginx/*/*/*.log' "
            "'/var/log/nginx/*/*/*/*.log' '/var/log/nginx/*/*/*/*/*.log' | enrich --no-service-name --label job=web | filter "
            "--rules /etc/weir/rules | buffer "
            "/var/lib/weir/spool-sys-2.db | push http://l\n");
  EXPECT_EQ(rules_of(conversion), "drop {filename=~`/var/log/nginx/old[^/]*`}\n");
  EXPECT_THAT(differences(conversion),
              ElementsAre("note scrape_configs[0].static_configs[2]", "note scrape_configs[0].static_configs[3]"));
}

TEST(PromtailFiles, JoinLinesAlsoWhereSomeFilesAreLeftOut) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: j\n  static_configs: [{labels: {job: j, __path__: '/a/*.log', "
      "__path_exclude__: /a/b.log}}]\n"
      "  pipeline_stages: [{multiline: {firstline: x}}, {labeldrop: [filename]}]\n");
  EXPECT_EQ(pipelines(conversion),
            "tail -f --positions /var/log/positions.yaml --multiline '(?:x)' --multiline-lines 128 --multiline-wait 3s "
            "--format raw --filename label '/a/*.log' | enrich "
            "--no-service-name --label job=j | filter --rules /etc/weir/rules | enrich --no-service-name --keep-labels job | "
            "buffer /var/lib/weir/spool.db | push http://l\n");
}

TEST(PromtailFiles, LogsOfPodsKeepTheLabelsThatPromtailGives) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: pods\n  pipeline_stages: [{cri: {}}]\n"
      "  static_configs: [{labels: {job: pods, __path__: '/var/log/pods/*/*/*.log'}}]\n");
  EXPECT_THAT(pipelines(conversion), HasSubstr("--label job=pods --keep-labels filename,job,stream |"));
}

TEST(PromtailLimits, BecomeRules) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nlimits_config: {readline_rate_enabled: true, readline_rate: 100, readline_burst: 200, "
      "max_line_size: 8kb, max_streams: 5}\n" +
      kJob);
  EXPECT_EQ(rules_of(conversion), "limit 100/s burst 200\ndrop | label_format f_length=`{{ len __line__ }}` | f_length > 8192\n");
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible limits_config.max_streams", "note limits_config.max_line_size",
                                                   "note limits_config.readline_rate_enabled"));
}

TEST(PromtailServer, IsAnOptionOfRun) {
  const auto conversion =
      made("clients: [{url: http://l}]\nserver: {http_listen_port: 9080, grpc_listen_port: 0, log_level: debug}\n" + kJob);
  EXPECT_THAT(conversion.pipelines, HasSubstr("# Run it: weir run --metrics 0.0.0.0:9080 /etc/weir/node.weir\n"));
  EXPECT_THAT(differences(conversion), IsEmpty());
}

TEST(PromtailServer, NothingOfItIsALineOfThePipelines) {
  const auto conversion = made("clients: [{url: http://l}]\nserver: {http_listen_address: \"a\\ntail b | push\"}\n" + kJob);
  EXPECT_THAT(conversion.pipelines, Not(HasSubstr("\ntail b")));
}

TEST(PromtailFiles, OfStrangeNamesAreNoOptions) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- {job_name: j, static_configs: [{labels: {job: j, __path__: "
      "'--checkpoint'}}]}\n");
  EXPECT_THAT(pipelines(conversion), HasSubstr(" ./--checkpoint |"));
}

TEST(PromtailText, OfManyUnknownKeysIsReadInTimeAndShort) {
  std::string config = "clients: [{url: http://l}]\n" + kJob + "server: {";
  for (int n = 0; n < 20'000; ++n) config += fmt::format("key{}: x, ", n);
  const auto conversion = made(config + "}\n");
  EXPECT_EQ(conversion.count(Severity::not_expressible), 20'000U);
  EXPECT_LT(conversion.pipelines.size(), 200'000U);
}

TEST(PromtailJobs, ThatWeirDoesNotReadAreListed) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: s\n  syslog: {listen_address: ':1514'}\n  relabel_configs: "
      "[{target_label: a, replacement: b}]\n"
      "- {job_name: c, consul_sd_configs: [{server: x}], encoding: utf-16}\n- {job_name: k, kubernetes_sd_configs: [{role: "
      "node}]}\n- {job_name: e}\n");
  EXPECT_EQ(pipelines(conversion), "");
  EXPECT_THAT(
      differences(conversion),
      ElementsAre("not expressible scrape_configs[0].syslog", "not expressible scrape_configs[1].consul_sd_configs",
                  "not expressible scrape_configs[1].encoding", "not expressible scrape_configs[2].kubernetes_sd_configs[0].role",
                  "note scrape_configs[0].relabel_configs[0]", "note scrape_configs[3]"));
}

TEST(PromtailKeys, ThatNobodyKnowsAreListed) {
  const auto conversion = made("colour: red\nclients: [{url: http://l, shape: round}]\npositions: {where: here}\n" + kJob);
  EXPECT_THAT(differences(conversion),
              ElementsAre("not expressible clients[0].shape", "not expressible colour", "not expressible positions.where"));
}

struct Bad {
  std::string text, message;
};
class PromtailMistakes : public testing::TestWithParam<Bad> {};
TEST_P(PromtailMistakes, HaveAPlaceAndACaret) {
  const auto result = convert_promtail(GetParam().text, {.file_name = "p.yaml"});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, base::Code::config);
  EXPECT_TRUE(result.error().message.starts_with(GetParam().message)) << result.error().message;
  EXPECT_NE(result.error().hint.find('^'), std::string::npos) << result.error().hint;
}
INSTANTIATE_TEST_SUITE_P(All, PromtailMistakes,
                         testing::Values(Bad{"x", "p.yaml:1:1: this is no configuration of Promtail"},
                                         Bad{"a: b\n", "p.yaml:1:1: this is no configuration of Promtail"},
                                         Bad{"clients: {}\n", "p.yaml:1:1: clients: there must be a list"},
                                         Bad{"scrape_configs:\n- {a: b}\n", "p.yaml:2:3: scrape_configs[0]: job_name is missing"},
                                         Bad{"scrape_configs:\n- {job_name: a}\n- {job_name: a}\n",
                                             "p.yaml:3:4: scrape_configs[1].job_name: there are two jobs"},
                                         Bad{"clients: [{url: [a]}]\n", "p.yaml:1:12: clients[0].url: there must be a text"},
                                         Bad{"server: {http_listen_port: 123456}\n",
                                             "p.yaml:1:10: server.http_listen_port: there must be a port"},
                                         Bad{"scrape_configs: [\n", "p.yaml:2:1: this is no YAML"}));

TEST(PromtailText, SaysWhereEachPartComesFrom) {
  const auto conversion =
      made("clients: [{url: http://l}]\n" + kJob + "limits_config: {max_streams: 1}\n", {.file_name = "x.yaml"});
  EXPECT_TRUE(conversion.pipelines.starts_with("# What weir convert promtail made of x.yaml: 1 thing not expressible, 0 notes.\n"))
      << conversion.pipelines;
  EXPECT_THAT(conversion.pipelines,
              HasSubstr("# line 4: not expressible: limits_config.max_streams: weir does not count streams; limit the values"));
  EXPECT_THAT(conversion.pipelines, HasSubstr("\n# line 3: scrape_configs[0].static_configs[0] (job j)\ntail -f"));
  EXPECT_FALSE(conversion.complete());
}

}  // namespace
}  // namespace weir::convert
