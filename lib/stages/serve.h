// `weir serve`: Loki's HTTP API and a page over a spool. Two stages of it: a source of what clients push, with the server before
// it; and the ordinary `buffer --store` behind. Where the spool is another's to write, there is the source alone, and it emits
// nothing.
//
//   server's thread      parses requests, puts pushes into the inbox, hands queries to the workers of QueryApi
//   chain's thread       takes from the inbox, decodes, emits to buffer; 200 ms after the first it flushes and answers all of them
//   tail's thread        while somebody tails: reads new blocks once for all (serve/tail_hub.h)
//
// A push is answered 204 when flush() said that it is safe, and not before. What buffer cannot store is answered 5xx, and the
// client sends it again.
#pragma once

#include "httpd/access.h"
#include "httpd/server.h"
#include "loki/push_reader.h"
#include "pipeline/stage.h"
#include "serve/inbox.h"
#include "serve/query_api.h"
#include "serve/tail_hub.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::stages {

struct ServeSpec {
  std::string spool;
  httpd::Address listen = {.host = "127.0.0.1", .port = 3100};
  bool read_only = false;
  bool try_again = false;  // when it cannot listen: says so, and tries again, instead of an error. For a part of `run`
  httpd::TlsFiles tls = {};
  httpd::AccessFiles users = {};
  std::vector<std::string> hosts = {};  // further names by which clients call this server
  loki::PushReaderOptions push = {};
  serve::Inbox::Limits inbox = {};
  serve::QueryLimits queries = {};
  // Set by the source. Who stores calls it again and again while it waits for room, on the chain's thread. Null: nobody does.
  std::shared_ptr<std::function<void()>> while_waiting = {};
  std::string version = {};  // of weir, for who asks
  serve::TailLimits tails = {};
  std::uint64_t most_body = 16 << 20;  // bytes of one push request as it comes
  // Requests share a commit that come within commit_after, or fewer when their lines are commit_bytes, or when their lines are
  // commit_soon_bytes and no more come for commit_soon: who sends much waits for the answer before it sends more.
  base::Duration commit_after = 200 * base::kMillisecond, commit_soon = 10 * base::kMillisecond;
  std::uint64_t commit_bytes = 1 << 20, commit_soon_bytes = 128 << 10;
};

// Listens, unless spec.try_again. Errors: io (the address is in use), config (files of users, tokens or certificates).
base::Result<std::unique_ptr<pipeline::Source>> make_serve(const ServeSpec& spec, const pipeline::Context& context);

// What a start would find wrong with the files that it names.
base::Result<void> rehearse_serve(const ServeSpec& spec, const pipeline::Context& context);

}  // namespace weir::stages
