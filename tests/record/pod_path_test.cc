#include "record/pod_path.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::record {
namespace {

const std::string kId(64, 'a');

TEST(PodPath, Success) {
  const auto f = [](const std::string& path, const PodPath& want) {
    const auto got = parse_pod_path(path);
    ASSERT_TRUE(got) << path;
    EXPECT_EQ(*got, want) << path;
  };
  f("/var/log/pods/shop_web-1_0a-1/app/0.log", {"shop", "web-1", "0a-1", "app"});
  f("shop_web_u/app/12.log", {"shop", "web", "u", "app"});
  f("/x/shop_web_u/app/0.log.20240501-101010", {"shop", "web", "u", "app"});
  f("/x/shop_web_u/app/0.log.20240501-101010.gz", {"shop", "web", "u", "app"});
  f("/var/log/pods/kube-system_etcd-node1.example.com_0123456789abcdef0123456789abcdef/etcd/3.log",
    {"kube-system", "etcd-node1.example.com", "0123456789abcdef0123456789abcdef", "etcd"});
  f("/var/log/containers/web-1_shop_app-" + kId + ".log", {"shop", "web-1", "", "app"});
  f("web_shop_my-app-" + kId + ".log", {"shop", "web", "", "my-app"});
}

TEST(PodPath, Failure) {
  const auto f = [](const std::string& path) { EXPECT_FALSE(parse_pod_path(path)) << path; };
  f("");
  f("0.log");
  f("/var/log/syslog");
  f("/var/log/app.log");
  f("/var/log/pods/shop_web/app/0.log");        // no uid
  f("/var/log/pods/_web_u/app/0.log");          // no namespace
  f("/var/log/pods/shop__u/app/0.log");         // no pod
  f("/var/log/pods/shop_web_/app/0.log");       // empty uid
  f("/var/log/pods/shop_web_u/app/notes.txt");  // no log
  f("/var/log/pods/shop_web_u/0.log");          // no container
  f("web_shop_app-" + kId.substr(1) + ".log");  // id too short
}

TEST(PodPath, RotationsBelongToTheirLiveFile) {
  const auto f = [](std::string_view name, std::string_view live) { EXPECT_EQ(live_name_of(name), live) << name; };
  f("0.log.20240501-101010", "0.log");
  f("0.log.20240501-101010.gz", "0.log");
  f("app.log.1", "app.log");
  f("app.log-20240501", "app.log");
  f("0.log", "");
  f("0.log.", "");
  f(".log.1", "");
  f("syslog.1", "");
}

}  // namespace
}  // namespace weir::record
