#include "convert/kubernetes_names.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;

TEST(KubernetesNames, BeginWithTheLikeliest) {
  EXPECT_THAT(kubernetes_names("app_kubernetes_io_name"), ElementsAre("app.kubernetes.io/name"));
  EXPECT_THAT(kubernetes_names("app"), ElementsAre("app"));
  EXPECT_THAT(kubernetes_names("k8s_app"), ElementsAre("k8s-app"));
  EXPECT_THAT(kubernetes_names("app_kubernetes_io_part_of"),
              ElementsAre("app.kubernetes.io/part-of", "app.kubernetes.io/part_of", "app.kubernetes.io/part.of"));
}

}  // namespace
}  // namespace weir::convert
