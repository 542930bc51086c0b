// The HTTP server of `weir serve`, with all that stands behind its paths.
#pragma once

#include "httpd/server.h"
#include "monitor/reading.h"
#include "pipeline/stage.h"
#include "serve/inbox.h"
#include "serve/query_api.h"
#include "serve/tail_hub.h"
#include "stages/serve.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace weir::stages {

class ServeSite {
 public:
  // Listens. `inbox` gets what is pushed; null where this server only reads. All arguments outlive the site.
  static base::Result<std::unique_ptr<ServeSite>> start(const ServeSpec& spec, serve::Inbox* inbox,
                                                        const pipeline::Context& context);
  ~ServeSite();
  ServeSite(const ServeSite&) = delete;
  ServeSite& operator=(const ServeSite&) = delete;

  void begun() {
    if (reading_) reading_->begun();
  }
  // "http://127.0.0.1:3100/"
  [[nodiscard]] std::string url() const;
  // Takes no more connections, ends tails, and waits until all requests are answered; queries end two seconds before the deadline.
  // True: all were answered. `hurry`: as that of httpd::Server.
  bool drain(base::Monotonic deadline, const std::function<bool()>& hurry);

 private:
  ServeSite(const ServeSpec& spec, serve::Inbox* inbox, const pipeline::Context& context);
  [[nodiscard]] std::vector<httpd::Route> routes();
  [[nodiscard]] httpd::Route push_route(std::string path);

  const ServeSpec& spec_;
  serve::Inbox* const inbox_;
  const std::uint64_t inode_;  // of the spool that is written
  const pipeline::Context& context_;
  std::optional<monitor::Reading> reading_;
  std::unique_ptr<serve::QueryApi> queries_;
  std::unique_ptr<serve::TailHub> tails_;
  std::unique_ptr<httpd::Server> server_;  // last: its thread uses all of the above
};

}  // namespace weir::stages
