#include "convert/static_targets.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST(PromtailFiles, AreRelabelledEachByItself) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: j\n  static_configs:\n"
      "  - {labels: {job: keep, __host__: h, __path__: /a}}\n  - {labels: {job: leave, __path__: /b}}\n"
      "  relabel_configs: [{action: drop, source_labels: [job], regex: leave}, {source_labels: [__address__], target_label: "
      "on}]\n");
  EXPECT_THAT(pipelines(conversion), HasSubstr(" /a | enrich --no-service-name --label job=keep --label on=localhost | buffer"));
  EXPECT_THAT(said_of(conversion, "scrape_configs[0].static_configs[0]"), HasSubstr("on the host of the label __host__ only"));
  EXPECT_THAT(said_of(conversion, "scrape_configs[0].static_configs[1]"), HasSubstr("the relabel rules drop this target"));
}

TEST(PromtailFiles, OfAHashAreListed) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: j\n  static_configs: [{labels: {job: j, __path__: /a}}]\n"
      "  relabel_configs: [{action: hashmod, modulus: 2, source_labels: [job], target_label: shard}]\n");
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible scrape_configs[0].relabel_configs[0]"));
}

}  // namespace
}  // namespace weir::convert
