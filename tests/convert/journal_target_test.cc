#include "convert/journal_target.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Conversion of_job(const std::string& job) {
  return made("clients: [{url: 'http://loki:3100'}]\nscrape_configs:\n- job_name: journal\n" + job);
}
std::string stages_of(const Conversion& conversion) {
  std::string text = pipelines(conversion);
  const std::string end = " | buffer /var/lib/weir/spool.db | push http://loki:3100\n",
                    begin = "tail -f --positions /var/log/positions.yaml ";
  EXPECT_TRUE(text.starts_with(begin) && text.ends_with(end)) << text;
  return text.substr(begin.size(), text.size() - begin.size() - end.size());
}

TEST(JournalTarget, HasTheLabelsOfTail) {
  const auto conversion = of_job(
      "  journal: {max_age: 12h, labels: {job: systemd-journal}}\n"
      "  relabel_configs:\n"
      "  - {source_labels: [__journal__systemd_unit], target_label: unit}\n"
      "  - {source_labels: [__journal__hostname], target_label: node_name}\n");
  EXPECT_EQ(stages_of(conversion), "--journal --max-age 12h | enrich --no-service-name");
  EXPECT_THAT(differences(conversion), IsEmpty());
}

TEST(JournalTarget, ReadsFolders) {
  const auto conversion = of_job(
      "  journal: {path: /var/log/journal, labels: {job: host, cluster: prod}}\n"
      "  relabel_configs: [{source_labels: [__journal__systemd_unit], target_label: unit}]\n");
  EXPECT_EQ(stages_of(conversion),
            "--journal-dir /var/log/journal --max-age 7h | enrich --no-service-name --label cluster=prod --label job=host "
            "--keep-labels cluster,job,unit");
}

TEST(JournalTarget, MakesMetadataOfOtherFields) {
  const auto conversion = of_job(
      "  journal: {labels: {job: j}}\n"
      "  relabel_configs:\n"
      "  - {source_labels: [__journal_syslog_identifier], target_label: ident}\n"
      "  - {source_labels: [__journal_priority_keyword], target_label: level}\n"
      "  - {source_labels: [__journal__systemd_unit], target_label: systemd_unit}\n");
  EXPECT_EQ(stages_of(conversion),
            "--journal --max-age 7h --journal-field SYSLOG_IDENTIFIER=syslog_identifier | enrich --no-service-name --label job=j "
            "--keep-labels job,unit");
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible scrape_configs[0].relabel_configs[0]",
                                                   "not expressible scrape_configs[0].relabel_configs[1]",
                                                   "not expressible scrape_configs[0].relabel_configs[2]"));
}

TEST(JournalTarget, LeavesOutTheSameEntries) {
  const auto conversion = of_job(
      "  journal: {labels: {job: systemd-journal}, matches: '_SYSTEMD_UNIT=a.service _SYSTEMD_UNIT=b.service _TRANSPORT=kernel'}\n"
      "  relabel_configs:\n"
      "  - {source_labels: [__journal__systemd_unit], target_label: unit}\n"
      "  - {source_labels: [__journal__hostname], target_label: node_name}\n"
      "  - {source_labels: [__journal__systemd_unit], action: drop, regex: 'session-.*'}\n"
      "  - {source_labels: [__journal_priority_keyword], action: keep, regex: 'crit|error'}\n");
  EXPECT_EQ(stages_of(conversion),
            "--journal --max-age 7h --journal-field PRIORITY=priority --unit a.service --unit b.service --journal-field "
            "_TRANSPORT=transport | enrich "
            "--no-service-name | filter --rules /etc/weir/rules");
  EXPECT_EQ(rules_of(conversion),
            "drop {unit=~`session-.*`}\ndrop | priority!~`^(?s:2|3)$`\ndrop {unit!~`a\\.service|b\\.service`}\ndrop | "
            "transport!~`^(?s:kernel)$`\n");
}

TEST(JournalTarget, IsNoJson) {
  const auto conversion = of_job("  journal: {json: true, labels: {job: systemd-journal}}\n");
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible scrape_configs[0].journal.json"));
}

TEST(JournalTarget, Mistakes) {
  for (const char* const bad : {"  journal: {max_age: long}\n", "  journal: {matches: x}\n", "  journal: [1]\n"}) {
    EXPECT_FALSE(convert_promtail(std::string("scrape_configs:\n- job_name: j\n") + bad, {}).ok()) << bad;
  }
}

}  // namespace
}  // namespace weir::convert
