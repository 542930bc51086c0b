#include "base/secrets.h"

#include "base/clock.h"
#include "base/diagnostics.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::base {
namespace {

TEST(Secrets, AreHiddenInEveryFormThatTravels) {
  Secrets secrets;
  secrets.add("p@ss w\"rd");
  secrets.add_login("me", "s3cret");
  const auto f = [&](std::string_view text, std::string_view want) { EXPECT_EQ(secrets.redact(text), want) << text; };
  f("nothing of it", "nothing of it");
  f("the password is p@ss w\"rd.", "the password is ***.");
  f("/push?p=p%40ss%20w%22rd&x", "/push?p=***&x");
  f("p%40ss%20w%22rd P%40SS", "*** P%40SS");
  f(R"({"error":"p@ss w\"rd is wrong"})", R"({"error":"*** is wrong"})");
  f("s3cret s3crets xs3cret", "*** ***s x***");
  f("Authorization: Basic bWU6czNjcmV0", "Authorization: Basic ***");
  f("s3crets3cret", "******");
  f("", "");
}

TEST(Secrets, ShortOnesOnlyAsWords) {
  Secrets secrets;
  for (const std::string_view value : {"", "a", "pw", "abc"}) secrets.add(value);
  EXPECT_EQ(secrets.redact("a pw abc abcd xabc 'abc'"), "a pw *** abcd xabc '***'");
}

TEST(Secrets, OfALongOneTheBeginningIsEnough) {
  Secrets secrets;
  secrets.add("eyJhbGciOiJSUzI1NiIsImtpZCI6");
  EXPECT_EQ(secrets.redact("bad token eyJhbGciOiJSUzI1N…"), "bad token ***…");
  EXPECT_EQ(secrets.redact("bad token eyJhbGciOiJSUzI1NiIsImtpZCI6x"), "bad token ***x");
  EXPECT_EQ(secrets.redact("bad token eyJhbGci"), "bad token eyJhbGci");
}

TEST(Secrets, OfAFileTheLatestTwo) {
  Secrets secrets;
  for (const std::string_view value : {"first-1", "second-2", "second-2", "third-3"}) secrets.add_latest("/token", value);
  secrets.add_latest("/other", "other-1");
  EXPECT_EQ(secrets.redact("first-1 second-2 third-3 other-1"), "first-1 *** *** ***");
  secrets.add_latest("/password", "s3cret", "me");
  EXPECT_EQ(secrets.redact("Basic bWU6czNjcmV0"), "Basic ***");
}

TEST(Secrets, KnowTheCommandLine) {
  Secrets secrets;
  const std::array<std::string, 3> words = {"run", "push --password 's3cret'", "http://u:p%40ss@h"};
  secrets.set_command_line(words);
  EXPECT_TRUE(secrets.on_command_line("s3cret"));
  EXPECT_TRUE(secrets.on_command_line("p@ss"));
  EXPECT_FALSE(secrets.on_command_line("other"));
  EXPECT_FALSE(secrets.on_command_line(""));
}

TEST(Secrets, AreHiddenInWhatDiagnosticsPrint) {
  const auto diagnostics = Diagnostics::standard_error("push", Clock::system());
  diagnostics->secrets()->add("s3\nret");
  testing::internal::CaptureStderr();
  diagnostics->say("it is s3\nret");
  diagnostics->warn("key", "s3\nret again");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "weir push: it is ***\nweir push: *** again\n");
}

TEST(Secrets, TheCommandLineIsQuotedForAShellAndHidesSecrets) {
  Secrets secrets;
  EXPECT_EQ(secrets.command_line(), "");
  const std::vector<std::string> words = {"run", "-c", "tail 'a b' | push --password s3cret-word", "", "x=1"};
  secrets.set_command_line(words);
  secrets.add("s3cret-word");
  EXPECT_EQ(secrets.command_line(), R"(weir run -c 'tail '\''a b'\'' | push --password ***' '' x=1)");
}

}  // namespace
}  // namespace weir::base
