#include "stages/push_check.h"

#include "loki/push_body.h"
#include "loki/push_reply.h"

#include <fmt/format.h>

#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Result;

constexpr std::string_view kPushPath = "/loki/api/v1/push";
constexpr std::string_view kNoServer = "is a Loki there? `weir push URL` or LOKI_ADDR names another one";

class PushCheck : public pipeline::Source {
 public:
  PushCheck(const PushSpec& spec, const pipeline::Context& context) : http_(spec.http), tenant_(spec.tenant), context_(context) {
    // A base may be the full push URL, under which there is no /ready.
    if (http_.base.path.ends_with(kPushPath)) http_.base.path.resize(http_.base.path.size() - kPushPath.size());
    http_.cancelled = [stop = context.stop] { return stop != nullptr && stop->stopped(); };
  }

  Result<void> run(pipeline::Outlet&, base::Stop&) override {
    auto client = http::Client::create(http_);
    if (!client) return std::move(client).error();
    if (auto taken = push_nothing(**client); !taken) return taken;
    return ask_ready(**client);
  }
  [[nodiscard]] pipeline::Counters counters() const override { return {}; }
  [[nodiscard]] std::string_view name() const override { return "push"; }
  [[nodiscard]] std::string summary() const override { return summary_; }

 private:
  [[nodiscard]] std::string url() const { return http_.base.display(); }

  Result<void> push_nothing(http::Client& client) {
    http::Request request;
    request.method = "POST";
    request.path = kPushPath;
    request.headers = {{"Content-Type", "application/x-protobuf"}};
    if (!tenant_.empty()) request.headers.push_back({"X-Scope-OrgID", tenant_});
    request.body = loki::encode_body({});
    const base::Monotonic begun = context_.clock->monotonic();
    auto answer = client.perform(request);
    if (!answer) {
      base::Error error = std::move(answer).error();
      if (error.hint.empty() && (error.code == Code::network || error.code == Code::unreachable)) error.hint = kNoServer;
      return error;
    }
    const auto meaning = loki::meaning(answer->status, answer->body);
    // Loki's own refusal of a request without streams, after it looked at everything else.
    if (meaning != loki::Meaning::delivered && meaning != loki::Meaning::refused) {
      return base::fail(Code::network, "cannot push to {}: {}", url(), loki::describe(answer->status, answer->body))
          .with_hint(std::string(loki::trouble_hint(answer->status, url())));
    }
    summary_ = fmt::format("{} takes records: it answered {} to a request without records after {} ms", url(), answer->status,
                           (context_.clock->monotonic() - begun) / base::kMillisecond);
    return {};
  }

  // A gateway need not pass this on, and not every target has it: only a Loki that says that it is not ready counts.
  Result<void> ask_ready(http::Client& client) {
    http::Request request;
    request.path = "/ready";
    const auto answer = client.perform(request);
    if (!answer || answer->status != 503) return {};
    summary_.clear();
    return base::fail(Code::network, "{} is not ready: {}", url(), loki::describe(answer->status, answer->body))
        .with_hint("a Loki that was just started takes up to a minute");
  }

  http::ClientConfig http_;
  const std::string tenant_;
  const pipeline::Context context_;
  std::string summary_;
};

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_push_check(const PushSpec& spec, const pipeline::Context& context) {
  return std::unique_ptr<pipeline::Source>(std::make_unique<PushCheck>(spec, context));
}

}  // namespace weir::stages
