#include "monitor/notifier.h"

#include "support/collect.h"
#include "support/service_manager.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <map>

namespace weir::monitor {
namespace {

using testing::StartsWith;

class NotifierTest : public testing::Test {
 protected:
  // The real clock: the notifier's thread sleeps by it.
  NotifierTest() { context_.clock = &base::Clock::system(); }

  std::unique_ptr<Notifier> start(base::Duration watchdog = 0, base::Duration starting = 0) {
    Notifier::Config config;
    config.starting = starting;
    config.socket = name_;
    config.watchdog = watchdog;
    config.health = [this] { return Verdict{healthy_, healthy_ ? "ok\n" : "a thread hangs: why\nchain\n"}; };
    config.status = [] { return std::string("all logs\nare read"); };
    auto notifier = Notifier::start(std::move(config), context_);
    if (!notifier) throw std::runtime_error(notifier.error().message);
    return *std::move(notifier);
  }

  test::TempDir dir_;
  std::string name_ = dir_ / "notify";
  test::ServiceManager manager_{name_};
  test::TestContext test_;
  pipeline::Context context_ = test_.context;
  std::atomic<bool> healthy_{true};
};

TEST_F(NotifierTest, SaysReadyWhenTheChainRunsAndStoppingAtTheEnd) {
  auto notifier = start();
  EXPECT_EQ(manager_.next(50), "");
  notifier->begun();
  EXPECT_EQ(manager_.next(), "READY=1");
  EXPECT_EQ(manager_.next(), "STATUS=starting");
  EXPECT_EQ(manager_.next(), "STATUS=all logs are read");
  notifier.reset();
  EXPECT_EQ(manager_.next(), "STOPPING=1");
}

// The stages do not know yet what waits for them.
TEST_F(NotifierTest, SaysThatItStartsUntilTheStagesHaveLookedAround) {
  const auto notifier = start(0, 200 * base::kMillisecond);
  const base::Monotonic before = context_.clock->monotonic();
  notifier->begun();
  EXPECT_EQ(manager_.next(), "READY=1");
  EXPECT_EQ(manager_.next(), "STATUS=starting");
  EXPECT_EQ(manager_.next(), "STATUS=all logs are read");
  EXPECT_GE(context_.clock->monotonic() - before, 200 * base::kMillisecond);
}

TEST_F(NotifierTest, SaysStoppingOnceWhenADrainBegins) {
  auto notifier = start();
  notifier->begun();
  EXPECT_EQ(manager_.next(), "READY=1");
  EXPECT_EQ(manager_.next(), "STATUS=starting");
  EXPECT_EQ(manager_.next(), "STATUS=all logs are read");
  test_.stop->request(SIGTERM);
  EXPECT_EQ(manager_.next(), "STOPPING=1");
  notifier.reset();
  EXPECT_EQ(manager_.next(0), "");
}

TEST_F(NotifierTest, SaysThatItReloads) {
  const auto notifier = start();
  notifier->begun();
  EXPECT_EQ(manager_.next(), "READY=1");
  EXPECT_EQ(manager_.next(), "STATUS=starting");
  EXPECT_EQ(manager_.next(), "STATUS=all logs are read");
  const base::Monotonic before = context_.clock->monotonic() / 1000;
  test_.stop->request_reload();
  const std::string reloading = manager_.next();
  ASSERT_THAT(reloading, StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_GE(std::stoll(reloading.substr(reloading.rfind('=') + 1)), before);
  EXPECT_EQ(manager_.next(), "READY=1");
}

TEST_F(NotifierTest, AnswersTheWatchdogWhileTheChainIsHealthy) {
  const auto notifier = start(20 * base::kMillisecond);
  notifier->begun();
  EXPECT_EQ(manager_.next(), "READY=1");
  EXPECT_EQ(manager_.next(), "STATUS=starting");
  EXPECT_EQ(manager_.next(), "WATCHDOG=1");
  EXPECT_EQ(manager_.next(), "STATUS=all logs are read");
  EXPECT_EQ(manager_.next(), "WATCHDOG=1");
  EXPECT_EQ(manager_.next(), "WATCHDOG=1");
  healthy_ = false;
  while (!manager_.next(500).empty()) {
  }
  ASSERT_FALSE(test_.diagnostics.said().empty());
  EXPECT_EQ(test_.diagnostics.said().front(), "systemd's watchdog gets no answer: a thread hangs: why");
  healthy_ = true;
  EXPECT_EQ(manager_.next(), "WATCHDOG=1");
}

std::map<std::string, std::string, std::less<>>& variables() {
  static std::map<std::string, std::string, std::less<>> all;
  return all;
}
const char* variable(const char* name) {
  const auto found = variables().find(std::string_view(name));
  return found == variables().end() ? nullptr : found->second.c_str();
}

TEST(NotifierConfig, IsWhatTheEnvironmentSays) {
  variables() = {};
  EXPECT_EQ(Notifier::config_of(variable).socket, "");
  variables() = {{"NOTIFY_SOCKET", "@x"}};
  EXPECT_EQ(Notifier::config_of(variable).socket, "@x");
  EXPECT_EQ(Notifier::config_of(variable).watchdog, 0);
  variables()["WATCHDOG_USEC"] = "30000000";
  EXPECT_EQ(Notifier::config_of(variable).watchdog, 30 * base::kSecond);
  variables()["WATCHDOG_PID"] = std::to_string(::getpid());
  EXPECT_EQ(Notifier::config_of(variable).watchdog, 30 * base::kSecond);
  variables()["WATCHDOG_PID"] = "1";
  EXPECT_EQ(Notifier::config_of(variable).watchdog, 0);
  variables().erase("WATCHDOG_PID");
  for (const char* wrong : {"", "0", "-5", "soon", "99999999999999999999"}) {
    variables()["WATCHDOG_USEC"] = wrong;
    EXPECT_EQ(Notifier::config_of(variable).watchdog, 0) << wrong;
  }
}

}  // namespace
}  // namespace weir::monitor
