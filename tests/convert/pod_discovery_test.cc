#include "convert/pod_discovery.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(PromtailKubernetes, NamesTheServerAndTheFilesForIt) {
  const std::string head =
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: p\n  relabel_configs: [{source_labels: "
      "[__meta_kubernetes_pod_label_team], target_label: team}]\n  kubernetes_sd_configs: [{role: pod, ";
  EXPECT_THAT(
      pipelines(made(head + "api_server: https://k, authorization: {credentials_file: /t}, tls_config: {ca_file: /ca}}]\n")),
      HasSubstr("--kube-server https://k --kube-ca /ca --kube-token-file /t"));
  EXPECT_THAT(differences(made(head + "authorization: {credentials: hunter2}}]\n")),
              Contains("not expressible scrape_configs[0].kubernetes_sd_configs[0].authorization"));
}

TEST(PromtailKubernetes, ItsNamespacesAreThoseOfTail) {
  const auto conversion = made(
      "clients: [{url: http://l}]\nscrape_configs:\n- job_name: p\n  kubernetes_sd_configs:\n"
      "  - {role: pod, namespaces: {names: [shop, web], own_namespace: true}}\n");
  EXPECT_THAT(pipelines(conversion), HasSubstr(" --namespace shop --namespace web "));
  EXPECT_THAT(differences(conversion),
              Contains("not expressible scrape_configs[0].kubernetes_sd_configs[0].namespaces.own_namespace"));
}

TEST(PromtailKubernetes, SelectorsAreListedExceptTheNode) {
  const auto selected = [](const std::string& selector) {
    const auto conversion = made(
        "clients: [{url: http://l}]\nscrape_configs:\n- job_name: p\n  kubernetes_sd_configs:\n"
        "  - {role: pod, selectors: [" +
        selector + "], attach_metadata: {node: true}}\n");
    EXPECT_THAT(said_of(conversion, "scrape_configs[0].kubernetes_sd_configs[0].attach_metadata"), HasSubstr("for pods only"));
    return said_of(conversion, "scrape_configs[0].kubernetes_sd_configs[0].selectors");
  };
  EXPECT_EQ(selected("{role: pod, field: spec.nodeName=n1}"), "");
  EXPECT_THAT(selected("{role: pod, field: status.phase=Running}"), HasSubstr("by the field status.phase=Running"));
  EXPECT_THAT(selected("{role: pod, label: app=web}"), HasSubstr("--exclude-pod-label"));
}

}  // namespace
}  // namespace weir::convert
