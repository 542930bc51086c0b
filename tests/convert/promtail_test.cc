#include "convert/promtail.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace weir::convert
