// What a client asks of a tail (loki: pkg/loghttp/tail.go, pkg/querier/tail).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "httpd/message.h"
#include "serve/tail_frames.h"

#include <cstdint>
#include <string>

namespace weir::serve {

struct TailRequest {
  std::string query;
  std::string tenant;
  std::uint64_t limit = 100;  // entries of before now, the newest of them
  base::Timestamp start = 0;  // since when
  base::Duration delay = 0;   // how long entries wait for others that may go before them
  TailForm form = TailForm::loki;
};

// By the path: Loki's /loki/api/v1/tail, the old /api/prom/tail, or the page's /weir/api/v1/tail. Only the page's takes `{}`, or a
// query without a selector, for everything.
//
// Error: usage, in Loki's words: it is answered 400. A metric query is no error here: Loki closes the WebSocket with one.
[[nodiscard]] base::Result<TailRequest> tail_request(const httpd::Request& request, base::Timestamp now);
// How the query of a tail of this form is read.
[[nodiscard]] logql::ParseOptions tail_syntax(TailForm form);

}  // namespace weir::serve
