#include "convert/pod_targets.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kHead =
    "clients: [{url: 'http://loki:3100'}]\nscrape_configs:\n- job_name: pods\n  pipeline_stages: [{cri: {}}]\n  "
    "kubernetes_sd_configs: [{role: pod}]\n"
    "  relabel_configs:\n";
// The files of a pod, as everybody writes it.
constexpr const char* kPath =
    "  - {source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name], separator: /, replacement: "
    "'/var/log/pods/*$1/*.log', target_label: __path__}\n"
    "  - {source_labels: [__meta_kubernetes_pod_annotationpresent_kubernetes_io_config_hash, "
    "__meta_kubernetes_pod_annotation_kubernetes_io_config_hash, "
    "__meta_kubernetes_pod_container_name], separator: /, regex: 'true/(.*)', replacement: '/var/log/pods/*$1/*.log', "
    "target_label: __path__}\n";
constexpr const char* kNames =
    "  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}\n"
    "  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}\n"
    "  - {source_labels: [__meta_kubernetes_pod_container_name], target_label: container}\n";
// What the chart 6.16.4 does, in other words than the chart's.
constexpr const char* kChart =
    "  - {source_labels: [__meta_kubernetes_pod_controller_name], regex: '([0-9a-z-.]+?)(-[0-9a-f]{8,10})?', target_label: "
    "__tmp_owner}\n"
    "  - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name, __meta_kubernetes_pod_label_app, __tmp_owner, "
    "__meta_kubernetes_pod_name]\n"
    "    regex: ';*([^;]+)(?:;.*)?'\n"
    "    target_label: app\n"
    "  - {source_labels: [__meta_kubernetes_pod_label_instance], target_label: instance}\n"
    "  - {source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_instance], regex: '(.+)', target_label: instance}\n"
    "  - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_component, __meta_kubernetes_pod_label_component]\n"
    "    regex: '^;*([^;]+)(;.*)?$'\n"
    "    target_label: component\n"
    "  - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node_name}\n"
    "  - {source_labels: [__meta_kubernetes_namespace, app], regex: '(.*);(.*)', replacement: '$1/$2', target_label: job}\n";

Conversion of_rules(const std::string& rules) { return made(std::string(kHead) + rules); }
std::string stages_of(const Conversion& conversion) {
  std::string text = pipelines(conversion);
  const std::string end = " | buffer /var/lib/weir/spool.db | push http://loki:3100\n",
                    begin = "tail -f --positions /var/log/positions.yaml ";
  EXPECT_TRUE(text.starts_with(begin) && text.ends_with(end)) << text;
  return text.substr(begin.size(), text.size() - begin.size() - end.size());
}

TEST(PodTargets, KnowsThePathAlone) {
  const auto conversion = of_rules(std::string(kNames) + kPath);
  EXPECT_EQ(stages_of(conversion), "--format cri --filename label /var/log/pods | enrich --no-service-name");
  EXPECT_THAT(differences(conversion), IsEmpty());
}

TEST(PodTargets, KnowsTheChartByWhatItsRulesDo) {
  const auto conversion = of_rules(std::string(kChart) + kNames + kPath);
  EXPECT_EQ(stages_of(conversion),
            "--format cri --filename label /var/log/pods | enrich --no-service-name --kubernetes api --labels-like promtail");
  EXPECT_THAT(differences(conversion), IsEmpty());
}

TEST(PodTargets, LeavesOutWhatTheChartHasAndTheRulesDoNot) {
  std::string rules = kChart;
  const std::size_t begin = rules.find("  - {source_labels: [__meta_kubernetes_pod_node_name]");
  rules.erase(begin, rules.find('\n', begin) + 1 - begin);
  const auto conversion = of_rules(rules + kNames + kPath);
  EXPECT_EQ(stages_of(conversion),
            "--format cri --filename label /var/log/pods | enrich --no-service-name --kubernetes api --labels-like promtail "
            "--keep-labels "
            "app,component,container,filename,instance,job,namespace,pod,stream");
}

TEST(PodTargets, SeesThatARuleDiffers) {
  // The same words, but for a ; that the chart does not have in between, and a namespace that is treated apart.
  std::string rules = kChart;
  rules += "  - {source_labels: [__meta_kubernetes_namespace], regex: kube-system, replacement: system, target_label: app}\n";
  const auto conversion = of_rules(rules + kNames + kPath);
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible scrape_configs[0].relabel_configs[7]"));
}

TEST(PodTargets, TakesLabelsOfPods) {
  const auto conversion = of_rules(std::string(kNames) + kPath +
                                   "  - {source_labels: [__meta_kubernetes_pod_label_team], target_label: team}\n"
                                   "  - {source_labels: [__meta_kubernetes_pod_annotation_version], target_label: version}\n"
                                   "  - {target_label: cluster, replacement: prod}\n");
  EXPECT_EQ(stages_of(conversion),
            "--format cri --filename label /var/log/pods | enrich --no-service-name --kubernetes api --pod-label team "
            "--pod-annotation version --label "
            "cluster=prod --keep-labels cluster,container,filename,namespace,pod,stream,team,version");
  EXPECT_THAT(differences(conversion), IsEmpty());
}

TEST(PodTargets, AsksForNamesThatItCannotKnow) {
  const auto conversion =
      of_rules(std::string(kNames) + kPath + "  - {source_labels: [__meta_kubernetes_pod_label_my_team], target_label: team}\n");
  EXPECT_THAT(stages_of(conversion),
              HasSubstr("--pod-label my-team=team --pod-label my_team=team --pod-label my.team=team --pod-label my/team=team"));
  EXPECT_THAT(differences(conversion), ElementsAre("note scrape_configs[0].relabel_configs[5]"));
}

TEST(PodTargets, MapsNoLabelsWithoutNames) {
  const auto conversion =
      of_rules(std::string(kNames) + kPath + "  - {action: labelmap, regex: '__meta_kubernetes_pod_label_(.+)'}\n");
  EXPECT_THAT(differences(conversion), ElementsAre("not expressible scrape_configs[0].relabel_configs[5]"));
  EXPECT_THAT(said_of(conversion, "scrape_configs[0].relabel_configs[5]"), HasSubstr("--pod-label NAME"));
}

struct Case {
  std::string rule;
  std::string tail, enrich, rules;
  std::vector<std::string> differences = {};
};
class Selections : public testing::TestWithParam<Case> {};
TEST_P(Selections, LeaveOutTheSamePods) {
  const auto conversion = of_rules(std::string(kNames) + kPath + "  - " + GetParam().rule + "\n");
  std::string expected =
      GetParam().tail + "--format cri --filename label /var/log/pods | enrich --no-service-name" + GetParam().enrich;
  if (!GetParam().rules.empty()) expected += " | filter --rules /etc/weir/rules";
  EXPECT_EQ(stages_of(conversion), expected);
  EXPECT_EQ(rules_of(conversion), GetParam().rules);
  EXPECT_EQ(differences(conversion), GetParam().differences);
}
const std::string kKept = " --keep-labels container,filename,namespace,pod,stream";
const std::string kRule = "scrape_configs[0].relabel_configs[5]";
INSTANTIATE_TEST_SUITE_P(
    All, Selections,
    testing::Values(
        Case{"{source_labels: [__meta_kubernetes_namespace], action: drop, regex: 'kube-.*|default'}",
             "--exclude-namespace 'kube-*' --exclude-namespace default ", "", ""},
        Case{"{source_labels: [namespace], action: keep, regex: '(shop|web)'}", "--namespace shop --namespace web ", "", ""},
        Case{"{source_labels: [__meta_kubernetes_pod_container_name], action: drop, regex: istio-proxy}",
             "--exclude-container istio-proxy ", "", ""},
        Case{"{source_labels: [__meta_kubernetes_pod_name], action: drop, regex: 'web-.*'}", "", "", "drop {pod=~`web-.*`}\n"},
        Case{"{source_labels: [__meta_kubernetes_namespace], action: keep, regex: 'a[0-9]+'}", "", "",
             "drop {namespace!~`a[0-9]+`}\n"},
        Case{"{source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_container_name], action: drop, regex: 'a;b'}", "",
             "", "drop | label_format f_key=`{{.namespace}};{{.container}}` | f_key=~`^(?s:a;b)$`\n"},
        Case{"{source_labels: [__meta_kubernetes_pod_label_logging], action: drop, regex: 'off|none'}", "",
             " --kubernetes api --exclude-pod-label logging=off --exclude-pod-label logging=none" + kKept, ""},
        Case{"{source_labels: [__meta_kubernetes_pod_label_logging], action: keep, regex: 'on'}",
             "",
             " --kubernetes api --pod-metadata logging=pod_logging" + kKept,
             "drop | pod_logging!~`^(?s:on)$`\n",
             {"note " + kRule}},
        Case{"{source_labels: [__meta_kubernetes_pod_phase], action: drop, regex: Succeeded}",
             "",
             "",
             "",
             {"not expressible " + kRule}},
        Case{"{source_labels: [__meta_kubernetes_pod_uid], action: hashmod, modulus: 2, target_label: __hash}",
             "",
             "",
             "",
             {"not expressible " + kRule}}));

TEST(PodTargets, LooksAtPaths) {
  // No rule names the files.
  EXPECT_THAT(differences(of_rules(kNames)), ElementsAre("note scrape_configs[0].kubernetes_sd_configs[0]"));
  // Links.
  const auto links = of_rules(std::string(kNames) +
                              "  - {source_labels: [__meta_kubernetes_pod_name, __meta_kubernetes_namespace, "
                              "__meta_kubernetes_pod_container_name], separator: _, "
                              "replacement: '/var/log/containers/$1-*.log', target_label: __path__}\n");
  EXPECT_THAT(stages_of(links), HasSubstr(" /var/log/containers |"));
  // Without the rule for static pods.
  EXPECT_THAT(differences(of_rules(std::string(kNames) + std::string(kPath).substr(0, std::string_view(kPath).find('\n') + 1))),
              ElementsAre("note scrape_configs[0].relabel_configs[3]"));
  EXPECT_THAT(differences(of_rules(std::string(kNames) + "  - {target_label: __path__, replacement: /data/x.log}\n")),
              ElementsAre("not expressible scrape_configs[0].relabel_configs[3]"));
}

}  // namespace
}  // namespace weir::convert
