#include "convert/pipeline_writer.h"

#include "convert/made.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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
