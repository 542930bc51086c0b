#include "convert/scrape_jobs.h"

#include "convert/made.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST(PromtailJobs, ReadCompressedFilesByTheirNames) {
  const auto found = [](const std::string& how) {
    return differences(made("clients: [{url: http://l}]\nscrape_configs:\n- job_name: j\n  decompression: " + how +
                            "\n  static_configs: [{labels: {job: j, __path__: /a.gz}}]\n"));
  };
  EXPECT_THAT(found("{enabled: false, format: z}"), IsEmpty());
  EXPECT_THAT(found("{enabled: true, format: gz, initial_delay: 10s}"),
              ElementsAre("note scrape_configs[0].decompression.enabled"));
  EXPECT_THAT(found("{enabled: true, format: bz2}"), ElementsAre("not expressible scrape_configs[0].decompression.format"));
}

TEST(PromtailJobs, OfSeveralSourcesAreSeveralPipelines) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nlimits_config: {max_line_size: 8kb, max_line_size_truncate: true}\nscrape_configs:\n"
      "- job_name: j\n  journal: {labels: {job: j}}\n  static_configs: [{labels: {job: j, __path__: /a}}]\n");
  const std::string text = pipelines(conversion);
  EXPECT_THAT(text, HasSubstr("buffer /var/lib/weir/spool-j.db |"));
  EXPECT_THAT(text, HasSubstr("buffer /var/lib/weir/spool-j-2.db |"));
  // The size of a line is one of files.
  EXPECT_EQ(text.find("--max-line"), text.rfind("--max-line"));
}

TEST(PromtailJobs, HaveABound) {
  std::string config = "clients: [{url: http://l}]\nscrape_configs:\n";
  for (int n = 0; n < 501; ++n) config += fmt::format("- {{job_name: j{}}}\n", n);
  const auto result = convert_promtail(config, {.file_name = "p.yaml"});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("scrape_configs: there are too many jobs"));
}

}  // namespace
}  // namespace weir::convert
