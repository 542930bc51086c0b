#include "monitor/reading.h"

#include "monitor/prometheus_text.h"

#include <string_view>
#include <utility>

namespace weir::monitor {

using httpd::Request;
using httpd::Response;
using metrics::Sample;

namespace {

// How long whoever asks waits for a chain that is blocked; then its last copy is shown.
constexpr base::Duration kPatience = 200 * base::kMillisecond;

constexpr auto kBuild =
    metrics::gauge("weir_build_info", "info", "1, with the version of weir.", metrics::Account::none, "version");
constexpr auto kWritten = metrics::gauge("weir_metrics_file_written_timestamp_seconds", "seconds",
                                         "Time when this file was written, since 1970; in a file of --metrics-file only.");

Response answer(const Verdict& verdict) {
  return {.status = verdict.good ? 200 : 503, .body = verdict.text, .headers = {{"Cache-Control", "no-store"}}};
}

}  // namespace

std::vector<httpd::Route> Reading::routes() const {
  std::vector<httpd::Route> routes;
  routes.push_back({.method = "GET", .path = "/metrics", .handler = [this](const Request&) {
                      return Response{.body = scrape(), .content_type = std::string(kPrometheusType)};
                    }});
  routes.push_back(
      {.method = "GET", .path = "/-/healthy", .handler = [this](const Request&) { return answer(health()); }, .open = true});
  routes.push_back(
      {.method = "GET", .path = "/-/ready", .handler = [this](const Request&) { return answer(readiness()); }, .open = true});
  return routes;
}

std::vector<Sample> Reading::read() const {
  context_.metrics->ask(kPatience);
  auto samples = context_.metrics->read();
  for (Sample& sample : unaccounted_records(samples)) samples.push_back(std::move(sample));
  samples.push_back({.metric = &kBuild, .label_value = WEIR_VERSION, .value = 1});
  return samples;
}

std::string Reading::scrape() const {
  auto samples = read();
  for (Sample& sample : process_.read()) samples.push_back(std::move(sample));
  return prometheus_text(samples);
}

// node_exporter has metrics named process_… of its own, and refuses to show two of one name.
std::string Reading::file_text() const {
  auto samples = read();
  samples.push_back({.metric = &kWritten, .value = static_cast<std::uint64_t>(context_.clock->wall())});
  return prometheus_text(samples);
}

Verdict Reading::health() const { return judge_health(context_.metrics->drivers()); }

Verdict Reading::readiness() const {
  context_.metrics->ask(kPatience);  // what is in the way is noticed between two batches
  const Phase phase = context_.stop->stopped() ? Phase::ending : has_begun_.load() ? Phase::running : Phase::starting;
  return judge_readiness(phase, context_.metrics->troubles());
}

std::string Reading::status() const {
  context_.metrics->ask(kPatience);
  return status_line(context_.metrics->read(), context_.metrics->drivers(), context_.metrics->troubles());
}

}  // namespace weir::monitor
