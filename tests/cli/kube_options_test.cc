#include "cli/kube_options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include <string>

namespace weir::cli {
namespace {

kube::Access parsed(const std::string& arguments) {
  CLI::App app;
  kube::Access access;
  declare_kube(app, access);
  app.parse(arguments);
  return access;
}

TEST(KubeOptions, FillTheAccess) {
  EXPECT_EQ(parsed(""), kube::Access());
  EXPECT_EQ(parsed("--kube-server http://127.0.0.1:8001"), kube::Access{.server = "http://127.0.0.1:8001"});
  EXPECT_EQ(parsed("--kube-server https://k:6443 --kube-token-file t --kube-ca c"),
            (kube::Access{.server = "https://k:6443", .token_file = "t", .ca_file = "c"}));
}

TEST(KubeOptions, EachTakesOneValue) {
  for (const char* text : {"--kube-server", "--kube-token-file", "--kube-ca", "--kube-server a b"}) {
    EXPECT_THROW(parsed(text), CLI::ParseError) << text;
  }
}

}  // namespace
}  // namespace weir::cli
