#include "convert/settings.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST(PromtailLimits, LongLinesAreSplitWherePromtailCutsThem) {
  const auto conversion =
      made("clients: [{url: http://l}]\nlimits_config: {max_line_size: 8kb, max_line_size_truncate: true}\n" + kJob);
  EXPECT_THAT(pipelines(conversion), HasSubstr(" --max-line 8192 "));
  EXPECT_EQ(rules_of(conversion), "");
  EXPECT_THAT(differences(conversion), ElementsAre("note limits_config.max_line_size"));
}

TEST(PromtailLimits, ARateThatReadersWaitForIsListed) {
  const auto conversion =
      made("clients: [{url: http://l}]\nlimits_config: {readline_rate_enabled: true, readline_rate_drop: false}\n" + kJob);
  EXPECT_EQ(rules_of(conversion), "");
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible limits_config.readline_rate_enabled"));
}

TEST(PromtailSettings, ThatDoNothingHereAreSaid) {
  const auto conversion = made(
      "clients: [{url: http://l}]\ntarget_config: {sync_period: 10s, stdin: true}\ntracing: {enabled: true}\n"
      "wal: {enabled: true}\nglobal: {file_watch_config: {min_poll_frequency: 1s}}\noptions: {stream_lag_labels: a}\n" +
      kJob);
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible target_config.stdin", "note tracing.enabled"));
}

TEST(PromtailServer, ThatIsOffServesNothing) {
  for (const char* const server : {"{disable: true}", "{http_listen_port: 0}"}) {
    const auto conversion = made(std::string("clients: [{url: http://l}]\nserver: ") + server + "\n" + kJob);
    EXPECT_THAT(conversion.pipelines, HasSubstr("# Run it: weir run /etc/weir/node.weir\n")) << server;
  }
}

}  // namespace
}  // namespace weir::convert
