// The watch against a server that fails in every way. Its clock is the test's, so that no wait takes its time.
#include "kube/resource_watch.h"

#include "kube/access.h"
#include "kube/watch_machine.h"
#include "support/collect.h"
#include "support/fake_kube.h"
#include "support/temp_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace weir::kube {
namespace {

using test::eventually;
using test::FakeKube;
using test::KubeReply;
using test::KubeRequest;
using test::pod_json;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Remembers the calls as words: "begins", "+name@version", "-name", "ends".
class Words : public ResourceHandler {
 public:
  void list_begins() override { add("begins"); }
  bool item(std::string_view object) override { return take("+", object); }
  bool deleted(std::string_view object) override { return take("-", object); }
  void list_ends() override { add("ends"); }

  [[nodiscard]] std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return words_;
  }
  [[nodiscard]] bool has(const std::string& word) const {
    const auto words = all();
    return std::find(words.begin(), words.end(), word) != words.end();
  }

 private:
  bool take(const std::string& sign, std::string_view object) {
    constexpr std::string_view kName = "\"name\":\"";
    const auto at = object.find(kName);
    if (at == std::string_view::npos) return false;
    const std::string_view rest = object.substr(at + kName.size());
    add(sign + std::string(rest.substr(0, rest.find('"'))));
    return true;
  }
  void add(std::string word) {
    const std::lock_guard lock(mutex_);
    words_.push_back(std::move(word));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> words_;
};

// Holds warnings back by their key, as the real one does.
class ThrottlingDiagnostics : public test::RememberingDiagnostics {
 public:
  explicit ThrottlingDiagnostics(base::Clock& clock) : clock_(clock) {}
  void warn(std::string_view key, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    const base::Monotonic now = clock_.monotonic();
    const auto [next, first] = next_.try_emplace(std::string(key));
    if (!first && now < next->second) return;
    next->second = now + 30 * base::kSecond;
    say(text);
  }

 private:
  base::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, base::Monotonic> next_;
};

class ResourceWatchTest : public ::testing::Test {
 protected:
  void start(std::string token_file = "") {
    http::ClientConfig config;
    config.base = *http::parse_url(server_.url());
    config.bearer_token_file = std::move(token_file);
    config.words.server = "the API server";
    machine_ = std::make_unique<WatchMachine>(spec_, config, handler_, clock_, diagnostics_, 7);
    http::AsyncClient::Options options;
    options.max_connections = 1;
    options.timer = [this](base::Monotonic now) { return machine_->timer(now); };
    client_ = std::move(*http::AsyncClient::create(config, clock_, std::move(options)));
    machine_->attach(*client_);
    client_->wake();
  }
  ~ResourceWatchTest() override {
    server_.hang(false);
    client_.reset();
  }

  // Time passes until it holds: a second of the clock for a few milliseconds of ours.
  bool in_time(const std::function<bool()>& holds, base::Duration step = base::kSecond) {
    return eventually([&] {
      if (holds()) return true;
      clock_.advance(step);
      client_->wake();
      return false;
    });
  }
  bool watching() {
    return eventually([&] { return machine_->status().fresh && server_.open_watches() == 1; });
  }
  // Once it has failed `failures` times in all.
  bool opens_again(std::uint64_t failures = 1) {
    return in_time([&] {
      if (machine_->status().failures < failures) return false;
      return machine_->status().fresh && server_.open_watches() == 1;
    });
  }
  [[nodiscard]] std::string said() const {
    std::string text;
    for (const std::string& one : diagnostics_.said()) text += one + "\n";
    return text;
  }

  FakeKube server_;
  Words handler_;
  test::FakeClock clock_;
  ThrottlingDiagnostics diagnostics_{clock_};
  ResourceWatchSpec spec_{.path = "/api/v1/pods", .field_selector = "spec.nodeName=node 1", .metadata_only = true};
  std::unique_ptr<WatchMachine> machine_;
  std::unique_ptr<http::AsyncClient> client_;
};

std::string pod(const std::string& name) { return pod_json("uid-" + name, "shop", name); }

TEST_F(ResourceWatchTest, ListsThenWatches) {
  server_.put("a", pod("a"));
  server_.put("b", pod("b"));
  start();
  ASSERT_TRUE(watching());
  server_.put("c", pod("c"));
  server_.put("a", pod("a"));
  server_.remove("b");
  ASSERT_TRUE(eventually([&] { return handler_.has("-b"); }));
  EXPECT_THAT(handler_.all(), ElementsAre("begins", "+a", "+b", "ends", "+c", "+a", "-b"));
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].path, "/api/v1/pods");
  EXPECT_EQ(requests[0].query,
            (std::map<std::string, std::string>{{"fieldSelector", "spec.nodeName=node 1"}, {"resourceVersion", "0"}}));
  EXPECT_EQ(requests[0].header("accept"), "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json");
  EXPECT_EQ(requests[1].parameter("fieldSelector"), "spec.nodeName=node 1");
  EXPECT_EQ(requests[1].parameter("watch"), "1");
  EXPECT_EQ(requests[1].parameter("allowWatchBookmarks"), "true");
  EXPECT_EQ(requests[1].parameter("resourceVersion"), "102");
  EXPECT_EQ(requests[1].header("accept"), "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");
  const int length = std::stoi(requests[1].parameter("timeoutSeconds"));
  EXPECT_GE(length, 300);
  EXPECT_LE(length, 600);
  EXPECT_EQ(server_.connections(), 1);
  const auto status = machine_->status();
  EXPECT_EQ(status.lists, 1U);
  EXPECT_EQ(status.watches, 1U);
  EXPECT_EQ(status.events, 3U);
  EXPECT_EQ(status.failures, 0U);
  EXPECT_TRUE(status.trouble.empty());
  EXPECT_NE(status.heard_at, base::kNever);
  EXPECT_THAT(diagnostics_.said(), IsEmpty());
}

TEST_F(ResourceWatchTest, WithWholeObjects) {
  spec_ = {.path = "/api/v1/namespaces/logs/configmaps"};
  start();
  ASSERT_TRUE(watching());
  for (const KubeRequest& request : server_.requests()) {
    EXPECT_EQ(request.header("accept"), "application/json");
    EXPECT_EQ(request.query.count("fieldSelector"), 0U);
  }
}

TEST_F(ResourceWatchTest, IsTheSameInPiecesOfAnySize) {
  for (const std::size_t size : {1, 2, 7, 100}) {
    server_.pieces_of(size);
    const std::string name = "p" + std::to_string(size);
    server_.put(name, pod(name));
    if (!client_) start();
    ASSERT_TRUE(eventually([&] { return handler_.has("+" + name); })) << size;
  }
}

TEST_F(ResourceWatchTest, GoesOnWhereItWasWhenTheServerEndsTheWatchAtItsTime) {
  start();
  ASSERT_TRUE(watching());
  clock_.advance(WatchPace::kLongestWatch);
  server_.put("a", pod("a"));
  ASSERT_TRUE(eventually([&] { return handler_.has("+a"); }));
  server_.end_watches();
  // At once: no time passes.
  ASSERT_TRUE(eventually([&] { return server_.watches() == 2; }));
  EXPECT_EQ(server_.requests().back().parameter("resourceVersion"), "101");
  EXPECT_EQ(server_.connections(), 1);
  EXPECT_EQ(machine_->status().failures, 0U);
  EXPECT_EQ(server_.lists(), 1U);
}

TEST_F(ResourceWatchTest, BookmarksMoveThePlaceToGoOnFrom) {
  start();
  ASSERT_TRUE(watching());
  server_.compact();  // so does the version
  server_.bookmark();
  server_.put("a", pod("a"));
  ASSERT_TRUE(eventually([&] { return handler_.has("+a"); }));
  server_.bookmark();
  const std::string version = server_.version();
  server_.send("{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" + version + "7\"}}}\n");
  server_.put("b", pod("b"));
  ASSERT_TRUE(eventually([&] { return handler_.has("+b"); }));
  EXPECT_EQ(machine_->status().events, 2U);
  server_.cut();
  ASSERT_TRUE(opens_again());
  EXPECT_EQ(server_.requests().back().parameter("resourceVersion"), server_.version());
}

TEST_F(ResourceWatchTest, ResumesAfterACutAndMissesNothing) {
  server_.put("a", pod("a"));
  start();
  ASSERT_TRUE(watching());
  server_.stop();
  ASSERT_TRUE(eventually([&] { return !machine_->status().fresh; }));
  server_.put("b", pod("b"));
  server_.put("c", pod("c"));
  server_.remove("c");
  server_.start_again();
  ASSERT_TRUE(opens_again());
  ASSERT_TRUE(eventually([&] { return handler_.has("-c"); }));
  EXPECT_THAT(handler_.all(), ElementsAre("begins", "+a", "ends", "+b", "+c", "-c"));
  EXPECT_EQ(server_.lists(), 1U);
}

TEST_F(ResourceWatchTest, SaysOnceThatNobodyListensAndThatItIsOver) {
  start();
  ASSERT_TRUE(watching());
  server_.stop();
  ASSERT_TRUE(in_time([&] { return machine_->status().failures > 5; }));
  EXPECT_THAT(diagnostics_.said(), ElementsAre(HasSubstr("cannot watch pods at http://127.0.0.1")));
  EXPECT_THAT(machine_->status().trouble, HasSubstr("Connection refused"));
  EXPECT_FALSE(machine_->status().fresh);
  server_.start_again();
  ASSERT_TRUE(opens_again());
  EXPECT_THAT(diagnostics_.said(), ElementsAre(HasSubstr("cannot watch"), HasSubstr("watches pods at")));
}

// Also of one that begins soon after the latest, and also a cause that comes in the middle.
TEST_F(ResourceWatchTest, SaysEachOutageOnceForEachCause) {
  std::atomic<bool> forbidden = false;
  server_.decide([&](const KubeRequest& request) {
    const std::string verb = request.watch() ? "watch" : "list";
    return forbidden ? KubeReply{403, R"({"kind":"Status","message":"cannot )" + verb + "\"}", {}} : KubeReply{0};
  });
  start();
  ASSERT_TRUE(watching());
  std::vector<::testing::Matcher<std::string>> wanted;
  for (int i = 0; i < 3; ++i) {
    auto failures = machine_->status().failures;
    server_.stop();
    ASSERT_TRUE(in_time([&] { return machine_->status().failures > failures + 2; }));
    wanted.emplace_back(HasSubstr("Connection refused"));
    ASSERT_THAT(diagnostics_.said(), ElementsAreArray(wanted));
    if (i == 1) {
      forbidden = true;
      failures = machine_->status().failures;
      server_.start_again();
      // Enough for a list after the watches.
      ASSERT_TRUE(in_time([&] { return machine_->status().failures > failures + 6; }));
      wanted.emplace_back(HasSubstr("(403)"));
      ASSERT_THAT(diagnostics_.said(), ElementsAreArray(wanted));
      forbidden = false;
    } else {
      server_.start_again();
    }
    ASSERT_TRUE(opens_again());
    wanted.emplace_back(HasSubstr("watches pods at"));
    ASSERT_TRUE(in_time([&] { return diagnostics_.said().size() >= wanted.size(); }));
    ASSERT_THAT(diagnostics_.said(), ElementsAreArray(wanted));
    clock_.advance(15 * base::kSecond);
  }
}

TEST_F(ResourceWatchTest, ListsAgainWhenTheVersionIsGone) {
  server_.put("a", pod("a"));
  start();
  ASSERT_TRUE(watching());
  server_.stop();
  server_.remove("a");
  server_.put("b", pod("b"));
  server_.compact();  // the ERROR event
  server_.start_again();
  ASSERT_TRUE(in_time([&] { return server_.lists() == 2; }));
  ASSERT_TRUE(opens_again());
  EXPECT_THAT(handler_.all(), ElementsAre("begins", "+a", "ends", "begins", "+b", "ends"));
  EXPECT_EQ(server_.requests().back().parameter("resourceVersion"), server_.version());
  EXPECT_THAT(said(), ::testing::Not(HasSubstr("too old")));
}

TEST_F(ResourceWatchTest, ListsAgainWhenTheStatusIs410) {
  std::atomic<int> n = 0;
  server_.decide([&](const KubeRequest& request) {
    return request.watch() && n++ == 0 ? KubeReply{410, R"({"kind":"Status","message":"too old","code":410})", {}} : KubeReply{0};
  });
  start();
  ASSERT_TRUE(in_time([&] { return server_.lists() == 2; }));
  ASSERT_TRUE(opens_again());
  EXPECT_EQ(machine_->status().failures, 1U);
  EXPECT_THAT(diagnostics_.said(), IsEmpty());
}

TEST_F(ResourceWatchTest, ListsAgainAfterAnyOtherErrorEvent) {
  start();
  ASSERT_TRUE(watching());
  server_.send(R"({"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd event received with PrevKv=nil"}})");
  ASSERT_TRUE(in_time([&] { return server_.lists() == 2; }));
  ASSERT_TRUE(opens_again());
  EXPECT_THAT(said(), HasSubstr("PrevKv"));
}

TEST_F(ResourceWatchTest, NamesTheRightThatIsMissing) {
  std::atomic<bool> list_refused = true, watch_refused = true;
  server_.decide([&](const KubeRequest& request) {
    const char* const verb = request.watch() ? "watch" : "list";
    if (request.watch() ? !watch_refused : !list_refused) return KubeReply{0};
    return KubeReply{403,
                     std::string(R"({"kind":"Status","status":"Failure","message":"pods is forbidden: User \"u\" cannot )") + verb +
                         R"( resource \"pods\"","reason":"Forbidden","code":403})",
                     {}};
  });
  start();
  ASSERT_TRUE(eventually([&] { return machine_->status().failures == 1; }));
  EXPECT_THAT(machine_->status().trouble, HasSubstr("cannot list pods"));
  ASSERT_TRUE(eventually([&] { return !diagnostics_.said().empty(); }));
  EXPECT_THAT(said(), HasSubstr("the right is missing (403): pods is forbidden: User \"u\" cannot list resource \"pods\""));
  EXPECT_THAT(said(), HasSubstr("kubectl create clusterrole weir-pods --verb=get,list,watch --resource=pods && kubectl create "
                                "clusterrolebinding weir-pods --clusterrole=weir-pods --user=u)"));
  list_refused = false;
  ASSERT_TRUE(in_time([&] { return machine_->status().trouble.find("cannot watch pods") == 0; }));
  EXPECT_THAT(handler_.all(), ::testing::Contains("ends"));
  EXPECT_FALSE(machine_->status().fresh);
  watch_refused = false;
  ASSERT_TRUE(opens_again());
  EXPECT_THAT(said(), HasSubstr("watches pods"));
}

TEST_F(ResourceWatchTest, TriesARotatedTokenSoon) {
  test::TempDir dir;
  dir.write("token", "old");
  server_.decide([](const KubeRequest& request) {
    return request.header("authorization") == "Bearer new" ? KubeReply{0}
                                                           : KubeReply{401, R"({"kind":"Status","message":"Unauthorized"})", {}};
  });
  start(dir / "token");
  ASSERT_TRUE(eventually([&] { return machine_->status().failures == 1; }));
  ASSERT_TRUE(eventually([&] { return !diagnostics_.said().empty(); }));
  EXPECT_THAT(said(), HasSubstr("does not accept the token (401)"));
  EXPECT_THAT(said(), HasSubstr(dir / "token"));
  // It fails for long, so that the waits have grown.
  ASSERT_TRUE(in_time([&] { return machine_->status().failures == 6; }, 5 * base::kSecond));
  const auto before = server_.requests().size();
  dir.write("next", "new");
  ASSERT_EQ(::rename((dir / "next").c_str(), (dir / "token").c_str()), 0);
  const base::Monotonic changed = clock_.monotonic();
  ASSERT_TRUE(opens_again());
  EXPECT_LE(clock_.monotonic() - changed, 30 * base::kSecond);
  EXPECT_LE(server_.requests().size(), before + 3);
}

TEST_F(ResourceWatchTest, NamesAFileThatItCannotRead) {
  test::TempDir dir;
  start(dir / "token");
  ASSERT_TRUE(eventually([&] { return !diagnostics_.said().empty(); }));
  EXPECT_THAT(said(), HasSubstr("cannot list pods"));
  EXPECT_THAT(said(), HasSubstr(dir / "token"));
  dir.write("token", "new");
  ASSERT_TRUE(opens_again());
  EXPECT_EQ(server_.requests()[0].header("authorization"), "Bearer new");
}

TEST_F(ResourceWatchTest, AsksForATokenWhereItHasNone) {
  server_.decide([](const KubeRequest&) { return KubeReply{401, "Unauthorized\n", {}}; });
  start();
  ASSERT_TRUE(eventually([&] { return !diagnostics_.said().empty(); }));
  EXPECT_THAT(said(), HasSubstr("--kube-token-file"));
}

TEST_F(ResourceWatchTest, SkipsWhatItCannotReadAndGoesOn) {
  spec_.max_object = 1000;
  server_.put("a", pod("a"));
  server_.put("huge", pod_json("uid-huge", "shop", "huge", R"("x":")" + std::string(1000, 'x') + "\""));
  server_.put("wrong", R"({"resourceVersion":"VERSION"})");
  start();
  ASSERT_TRUE(watching());
  EXPECT_EQ(machine_->status().unreadable, 2U);
  server_.put("huge2", pod_json("uid-huge", "shop", "huge", R"("x":")" + std::string(100'000, 'x') + "\""));
  server_.send("{\"type\":\"ADDED\",\"object\":{\"metadata\":{broken}}}\n{\"type\":\"STRANGE\",\"object\":{}}\n");
  server_.send("{\"object\":{\"metadata\":{\"name\":\"turned\"}},\"type\":\"ADDED\"}\n");
  server_.put("b", pod("b"));
  ASSERT_TRUE(eventually([&] { return handler_.has("+b"); }));
  EXPECT_THAT(handler_.all(), ElementsAre("begins", "+a", "ends", "+turned", "+b"));
  EXPECT_EQ(machine_->status().unreadable, 5U);
  EXPECT_EQ(machine_->status().failures, 0U);
  EXPECT_THAT(said(), HasSubstr("skips an object of pods"));
  EXPECT_THAT(said(), HasSubstr("more than 1000 are not read"));
}

TEST_F(ResourceWatchTest, GivesUpAnAnswerThatIsNone) {
  std::atomic<std::size_t> n = 0;
  server_.decide([&](const KubeRequest&) {
    const std::vector<std::string> answers = {"<html>", "[]", R"({"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[)",
                                              R"({"kind":"PodList","items":[]})",
                                              R"({"kind":"Status","metadata":{"resourceVersion":"7"}})"};
    const std::size_t at = n++;
    return at < answers.size() ? KubeReply{200, answers[at], {}} : KubeReply{0};
  });
  start();
  ASSERT_TRUE(opens_again(5));
  EXPECT_EQ(machine_->status().failures, 5U);
  EXPECT_EQ(handler_.all().back(), "ends");
  const auto words = handler_.all();
  EXPECT_EQ(std::count(words.begin(), words.end(), "ends"), 1);
}

TEST_F(ResourceWatchTest, GivesUpAWatchInWhichEventsCannotBeToldApart) {
  start();
  ASSERT_TRUE(watching());
  server_.send("garbage");
  ASSERT_TRUE(opens_again());
  EXPECT_EQ(server_.lists(), 1U);
  EXPECT_EQ(machine_->status().failures, 1U);
}

TEST_F(ResourceWatchTest, SaysThatNoWatchLasts) {
  std::atomic<bool> dies = true;
  server_.decide([&](const KubeRequest& request) { return request.watch() && dies ? KubeReply{200, "", {}} : KubeReply{0}; });
  start();
  ASSERT_TRUE(in_time([&] { return machine_->status().failures == 2; }));
  EXPECT_THAT(diagnostics_.said(), IsEmpty());
  ASSERT_TRUE(in_time([&] { return machine_->status().failures > 9; }));
  EXPECT_THAT(diagnostics_.said(), ElementsAre(HasSubstr("the server ended the watch before its time")));
  dies = false;
  ASSERT_TRUE(opens_again(10));
  EXPECT_EQ(diagnostics_.said().size(), 1U);
  ASSERT_TRUE(in_time([&] { return diagnostics_.said().size() == 2; }));
  EXPECT_THAT(diagnostics_.said().back(), HasSubstr("watches pods at"));
}

// The connection is there, and nothing comes.
TEST_F(ResourceWatchTest, GoesOnElsewhereWhenAWatchFallsSilent) {
  start();
  ASSERT_TRUE(watching());
  const auto quiet = [&](base::Duration time) {
    clock_.advance(time);
    client_->wake();
  };
  // A server that sends no bookmarks may be silent.
  quiet(WatchMachine::kSilence + base::kMinute);
  server_.put("a", pod("a"));
  ASSERT_TRUE(eventually([&] { return handler_.has("+a"); }));
  server_.bookmark();
  server_.put("b", pod("b"));
  ASSERT_TRUE(eventually([&] { return handler_.has("+b"); }));
  quiet(WatchMachine::kSilence - base::kSecond);
  server_.put("c", pod("c"));
  ASSERT_TRUE(eventually([&] { return handler_.has("+c"); }));
  quiet(WatchMachine::kSilence - base::kSecond);
  EXPECT_EQ(machine_->status().failures, 0U);
  EXPECT_EQ(server_.watches(), 1U);
  server_.hang(true);
  quiet(2 * base::kSecond);
  ASSERT_TRUE(eventually([&] { return !machine_->status().fresh; }));
  EXPECT_THAT(machine_->status().trouble, HasSubstr("nothing has come for 15"));
  EXPECT_THAT(diagnostics_.said(), IsEmpty());
  // Nor does the next one get an answer.
  ASSERT_TRUE(in_time([&] { return machine_->status().failures == 2; }));
  ASSERT_TRUE(eventually([&] { return !diagnostics_.said().empty(); }));
  EXPECT_THAT(said(), HasSubstr("cannot watch pods at " + server_.url() + ": no answer in time (30 s)"));
  server_.hang(false);
  server_.put("d", pod("d"));
  ASSERT_TRUE(opens_again(2));
  ASSERT_TRUE(eventually([&] { return handler_.has("+d"); }));
  EXPECT_EQ(server_.lists(), 1U);
  EXPECT_THAT(diagnostics_.said(), ElementsAre(HasSubstr("no answer in time"), HasSubstr("again, after")));
}

// The kernel notices that packets are lost.
TEST_F(ResourceWatchTest, TheKernelLooksAfterTheConnection) {
  test::RememberingDiagnostics diagnostics;
  auto config = client_config({.server = server_.url()}, nullptr, &diagnostics);
  ASSERT_TRUE(config);
  const auto watch = ResourceWatch::start(spec_, *config, handler_, base::Clock::system(), diagnostics);
  ASSERT_TRUE(watch);
  ASSERT_TRUE(eventually([&] { return (*watch)->status().fresh; }));
  const int port = std::stoi(server_.url().substr(server_.url().rfind(':') + 1));
  int found = 0;
  for (int fd = 0; fd < 1000; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || ntohs(peer.sin_port) != port) continue;
    ++found;
    const auto option = [fd](int level, int name) {
      int value = 0;
      socklen_t length = sizeof value;
      return ::getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
    };
    EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_LE(option(IPPROTO_TCP, TCP_KEEPIDLE) + option(IPPROTO_TCP, TCP_KEEPINTVL) * option(IPPROTO_TCP, TCP_KEEPCNT), 90);
  }
  EXPECT_EQ(found, 1);
}

TEST_F(ResourceWatchTest, WaitsAsLongAsTheServerAsks) {
  server_.decide([](const KubeRequest&) { return KubeReply{429, "slow down", {{"Retry-After", "600"}}}; });
  start();
  ASSERT_TRUE(eventually([&] { return machine_->status().failures == 1; }));
  clock_.advance(599 * base::kSecond);
  client_->wake();
  const auto before = machine_->status().lists;
  EXPECT_EQ(before, 1U);
  ASSERT_TRUE(in_time([&] { return machine_->status().lists == 2; }));
}

TEST_F(ResourceWatchTest, TheRealOneStartsAndStops) {
  server_.put("a", pod("a"));
  http::ClientConfig config;
  config.base = *http::parse_url(server_.url());
  auto watch = ResourceWatch::start(spec_, config, handler_, base::Clock::system(), diagnostics_);
  ASSERT_TRUE(watch) << watch.error().message;
  ASSERT_TRUE(eventually([&] { return (*watch)->status().fresh && handler_.has("+a"); }));
  server_.hang(true);
  watch->reset();  // does not wait for the server
  config.ca_file = "/does/not/exist";
  const auto wrong = ResourceWatch::start(spec_, config, handler_, base::Clock::system(), diagnostics_);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, base::Code::config);
}

}  // namespace
}  // namespace weir::kube
