#include "tail/outlook.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace weir::tail {
namespace {

class Outlook : public testing::Test {
 protected:
  Outlook() {
    for (const char* file : {"pods/checkout_web-5d8f7c9b4-x2x7k_u1/app/0.log", "pods/checkout_web-5d8f7c9b4-x2x7k_u1/istio/0.log",
                             "pods/payments_db-0_u2/db/0.log", "plain/a.log", "texts/a.txt", "texts/b.txt"}) {
      dir.write(file, "x\n");
    }
    std::filesystem::create_directories(dir / "empty");
  }
  std::string explain(const std::vector<std::string>& inputs, const Selection& selection = {}) {
    std::vector<std::string> paths;
    for (const std::string& input : inputs) paths.push_back(dir / input);
    std::string text = explain_no_log(paths, selection);
    const std::string prefix = std::string(dir.path()) + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) text.erase(at, prefix.size());
    return text;
  }
  test::TempDir dir;
};

TEST_F(Outlook, WhatIsThereIsNotExplained) {
  EXPECT_EQ(explain({"pods"}), "");
  EXPECT_EQ(explain({"pods"}, {.namespaces = {"payments"}}), "");
}

TEST_F(Outlook, PathsWithoutLogs) {
  const auto f = [this](const std::vector<std::string>& inputs, std::string_view wanted) { EXPECT_EQ(explain(inputs), wanted); };
  f({"empty"}, "there is no log file in empty");
  f({"texts"}, "none of 2 files in texts is named *.log: name them, for example 'texts/*'");
  f({"nosuch"}, "there is no nosuch");
  f({"plain/*.txt"}, "no log file matches plain/*.txt");
  f({"nosuch", "empty"}, "there is no nosuch; there is no log file in empty");
}

TEST_F(Outlook, Selections) {
  const auto f = [this](const Selection& selection, std::string_view wanted) { EXPECT_EQ(explain({"pods"}, selection), wanted); };
  f({.namespaces = {"chekout"}}, "no namespace 'chekout' in pods; did you mean 'checkout'?");
  f({.namespaces = {"nosuch"}}, "no namespace 'nosuch' in pods; there are checkout, payments");
  f({.namespaces = {"nosuch", "neither"}}, "no namespace 'nosuch' or 1 other in pods; there are checkout, payments");
  f({.namespaces = {"x*"}}, "no namespace matches 'x*' in pods; there are checkout, payments");
  f({.namespaces = {"5"}}, "no namespace '5' in pods; for the last lines: --lines 5");
  f({.pods = {"wbe"}}, "no pod 'wbe' in pods; did you mean 'web'?");
  f({.namespaces = {"payments"}, .pods = {"web"}}, "no pod 'web' in this namespace; there is db-0");
  f({.containers = {"ap"}}, "no container 'ap' in these pods; did you mean 'app'?");
  f({.namespaces = {"checkout"}, .containers = {"db"}}, "no container 'db' in these pods; there are app, istio");
  f({.namespaces = {"payments"}, .exclude_pods = {"db"}}, "--exclude-… leaves out every log file that was selected (1)");
}

TEST_F(Outlook, FilesOfNoPod) {
  EXPECT_EQ(explain({"plain"}, {.namespaces = {"checkout"}}),
            "no log file in plain belongs to a pod, and -n, -p and -c choose among pods");
  EXPECT_EQ(explain({"plain/a.log"}, {.namespaces = {"20"}}),
            "no log file in plain/a.log belongs to a pod, and -n, -p and -c choose among pods; for the last lines: --lines 20");
}

TEST_F(Outlook, ManyNamesAreNotAllTold) {
  for (int i = 0; i < 20; ++i) dir.write("many/space-" + std::to_string(i) + "_p_u/c/0.log", "x\n");
  EXPECT_EQ(explain({"many"}, {.namespaces = {"nosuch"}}),
            "no namespace 'nosuch' in many; there are space-0, space-1, space-10, space-11, space-12, space-13 and 14 more");
}

TEST_F(Outlook, WhatCannotBeRead) {
  const auto f = [this](const std::string& input, bool follow) { return find_unreadable({dir / input}, {}, follow).count(); };
  EXPECT_EQ(f("pods", false), 0U);
  EXPECT_EQ(f("nosuch.log", false), 1U);
  EXPECT_EQ(f("nosuch.log", true), 0U);
  EXPECT_EQ(f("plain/*.txt", false), 0U);
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  std::filesystem::permissions(dir / "plain/a.log", std::filesystem::perms::none);
  EXPECT_EQ(f("plain", false), 1U);
  EXPECT_EQ(f("plain", true), 1U);
}

}  // namespace
}  // namespace weir::tail
