// The machine behind a ResourceWatch: driven by the timer and the completions of one AsyncClient, so that tests can drive it with
// another one and a clock of their own.
//
// States:
// - waiting: no request is on its way. timer() sends the next one when WatchPace allows it.
// - listing: a list is on its way. Its items go to the handler as they come.
// - watching: a watch is on its way. It is open once its header has come with status 200; then events come.
//
// Events: timer(), pieces of an answer, the end of an answer.
//
// Invariants:
// - One request at a time.
// - The version to go on from is that of a list that was whole, or of an event or bookmark after it. It is passed on by the handler
//   before it counts, and a list that broke off has none. So nothing is left out: what came twice is put twice.
// - The sweep of what is gone (list_ends) comes only after a list that was whole.
// - One object that cannot be read costs that object. Bytes in which objects cannot be told apart end the answer.
// - A watch has a time: that which the server was asked for and kMargin on top. libcurl's timer does that.
// - A watch that was not opened within kAnswerTime is given up. So is one on which nothing has come for kSilence, once it has
// brought
//   a bookmark: an API server sends them every minute. It goes on where it was. This costs one timer, which does not ring while
//   bookmarks come. A server whose packets are lost is noticed earlier, by the kernel (http::ClientConfig::dead_after).
// - While the server refuses our token, its file is looked at every kTokenLook, and a changed one is tried at once.
// - Trouble lasts from the first failure until a watch is open again; after kMostFailures short watches in a row, until one has
//   lived for kLived. It is reported once for each cause, and its end when it was reported. A cause is an HTTP status or a text.
//   A cause that comes back is said again after kSayAgain. What ends a watch now and then is no trouble (see failed()).
//
// Why the client's thread: the answer is parsed where it comes, there is no queue, and memory is that of one object.
#pragma once

#include "kube/file_mark.h"
#include "kube/json_splitter.h"
#include "kube/resource_watch.h"
#include "kube/watch_pace.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kube {

class WatchMachine {
 public:
  static constexpr base::Duration kMargin = 30 * base::kSecond;
  static constexpr base::Duration kAnswerTime = 30 * base::kSecond;  // a list to its end, a watch until it is open
  static constexpr base::Duration kSilence = 150 * base::kSecond;
  static constexpr base::Duration kTokenLook = 5 * base::kSecond;
  static constexpr base::Duration kSayAgain = 10 * base::kMinute;

  // `config` says where the server is, for messages, and where its token is.
  WatchMachine(ResourceWatchSpec spec, const http::ClientConfig& config, ResourceHandler& handler, base::Clock& clock,
               base::Diagnostics& diagnostics, std::uint64_t seed);
  ~WatchMachine();

  // Before the first timer(). The client does not outlive the machine.
  void attach(http::AsyncClient& client) { client_ = &client; }
  // The timer of the client.
  base::Monotonic timer(base::Monotonic now);
  [[nodiscard]] ResourceWatchStatus status() const;  // any thread

 private:
  struct Answer;
  struct Failure {
    WatchPace::End end = WatchPace::End::failed;
    std::string cause, hint;
    base::Duration retry_after = 0;
    int status = 0;  // of HTTP, where that is the cause
  };
  // A cause that was reported since all was well.
  struct Report {
    std::string cause;
    base::Monotonic at = 0;
  };

  base::Monotonic watch_over(base::Monotonic now);
  void send(base::Monotonic now);
  bool piece(int status, std::string_view bytes);
  void ended(base::Result<http::Response> result);
  [[nodiscard]] std::optional<Failure> judge(const base::Result<http::Response>& result, base::Monotonic now);
  [[nodiscard]] Failure refusal(int status, const http::Response& response) const;
  [[nodiscard]] std::string rights_for(std::string_view said) const;
  void failed(Failure failure, bool lived, base::Monotonic now);
  void report(const Failure& failure, const std::string& trouble, base::Monotonic now);
  void healthy(base::Monotonic now);
  void lived_well(base::Monotonic now);
  void recovered(base::Monotonic now);
  void tick();

  const ResourceWatchSpec spec_;
  const std::string resource_;  // "pods"
  const std::string server_;
  const std::string token_file_;
  const bool has_token_;
  ResourceHandler& handler_;
  base::Clock& clock_;
  base::Diagnostics& diagnostics_;
  http::AsyncClient* client_ = nullptr;

  // The client's thread only.
  WatchPace pace_;
  std::unique_ptr<Answer> answer_;  // of the request that is on its way
  std::string version_;             // to go on from
  std::optional<FileMark> token_refused_;
  std::vector<Report> reports_;  // the latest is the last; empty since all was well
  base::Monotonic troubled_since_ = base::kNever;
  bool connects_ = true;   // since a watch was open last
  int short_watches_ = 0;  // that were cut soon, since one lived
  int cuts_in_a_row_ = 0;  // of these, with no failure of another kind in between

  mutable std::mutex mutex_;
  ResourceWatchStatus status_;
};

}  // namespace weir::kube
