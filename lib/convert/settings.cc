#include "convert/settings.h"

#include "convert/clients.h"
#include "convert/pipeline_stages.h"
#include "convert/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <utility>

namespace weir::convert {
namespace {

constexpr std::string_view kDefaultPositions = "/var/log/positions.yaml";

class SettingsReader {
 public:
  explicit SettingsReader(Report& report) : report_(report) {}

  Settings read(MapReader& root) {
    positions(root);
    limits(root);
    server(root);
    if (const yaml::Node* target = root.take("target_config"); target != nullptr) {
      MapReader map(*target, root.spot("target_config"), report_);
      map.accept({"sync_period"}, "tail hears of new files at once");
      if (map.boolean("stdin", false))
        report_.missing(map.spot("stdin"), "a pipeline of weir run reads files", "read standard input by: tail -");
      map.finish();
    }
    if (const yaml::Node* global = root.take("global"); global != nullptr) {
      MapReader map(*global, root.spot("global"), report_);
      map.accept({"file_watch_config"}, "tail hears of new lines at once");
      map.finish();
    }
    if (const yaml::Node* wal = root.take("wal"); wal != nullptr)
      report_.exact(root.spot("wal"), "the spool keeps records on disk");
    if (const yaml::Node* tracing = root.take("tracing"); tracing != nullptr) {
      MapReader map(*tracing, root.spot("tracing"), report_);
      if (map.boolean("enabled", false)) report_.note(map.spot("enabled"), "weir sends no traces");
      map.finish();
    }
    (void)root.take("options");
    return std::move(made_);
  }

 private:
  void positions(MapReader& root) {
    made_.positions = kDefaultPositions;
    if (const yaml::Node* node = root.take("positions"); node != nullptr) {
      MapReader map(*node, root.spot("positions"), report_);
      if (const yaml::Node* file = map.take("filename"); file != nullptr) {
        made_.positions = with_variables(*file, map.spot("filename"), report_);
        report_.exact(map.spot("filename"), "tail --positions goes on there where weir has no position yet");
      }
      map.accept({"sync_period", "ignore_invalid_yaml"}, "the spool keeps the positions with the records");
      map.finish();
    }
  }

  void limits(MapReader& root) {
    const yaml::Node* node = root.take("limits_config");
    if (node == nullptr) return;
    MapReader map(*node, root.spot("limits_config"), report_);
    const bool on = map.boolean("readline_rate_enabled", false);
    const std::string rate = map.text("readline_rate", "10000"), burst = map.text("readline_burst", "10000");
    const bool drops = map.boolean("readline_rate_drop", true);
    if (on && !drops) {
      report_.missing(map.spot("readline_rate_enabled"), "weir does not make its readers wait for a rate",
                      "leave it out: push sends no faster than Loki takes it");
    } else if (on) {
      const double each = std::strtod(rate.c_str(), nullptr);
      const double most = std::strtod(burst.c_str(), nullptr);
      if (!(each >= 1 && each < 1e12 && most >= 1 && most < 1e12)) {
        report_.wrong(map.spot("readline_rate"), "there must be a rate of at least one line a second");
      } else {
        RuleLine rule;
        rule.line = map.spot("readline_rate_enabled").place.line;
        rule.path = map.spot("readline_rate_enabled").path;
        rule.phase = 3;
        rule.text = fmt::format("limit {:.0f}/s burst {:.0f}", each, std::max(each, most));
        report_.note(map.spot("readline_rate_enabled"), "each pipeline has this limit for itself; Promtail has one for all jobs");
        made_.rules.push_back(std::move(rule));
      }
    }
    if (const auto size = map.optional_text("max_line_size")) {
      const auto bytes = size_of(*size);
      if (!bytes) report_.wrong(map.spot("max_line_size"), "there must be a size, such as 256kb");
      const bool cuts = map.boolean("max_line_size_truncate", false);
      if (bytes && *bytes > 0 && cuts) {
        made_.max_line = *bytes;
        report_.note(map.spot("max_line_size"),
                     "tail splits a longer line into pieces, and loses nothing of it; Promtail cuts it off");
      } else if (bytes && *bytes > 0) {
        RuleLine rule;
        rule.line = map.spot("max_line_size").place.line;
        rule.path = map.spot("max_line_size").path;
        rule.reads_line = true;
        rule.text = fmt::format("drop | label_format f_length=`{{{{ len __line__ }}}}` | f_length > {}", *bytes);
        report_.note(
            map.spot("max_line_size"),
            "tail splits lines of more than 256 KiB into pieces before that; what is left of one may be short enough to pass");
        made_.rules.push_back(std::move(rule));
      }
    }
    (void)map.take("max_line_size_truncate");
    if (const std::string most = map.text("max_streams", "0"); most != "0") {
      report_.missing(map.spot("max_streams"), "weir does not count streams",
                      "limit the values of a label: enrich --max-values LABEL=N");
    }
    map.finish();
  }

  void server(MapReader& root) {
    const yaml::Node* node = root.take("server");
    if (node == nullptr) return;
    MapReader map(*node, root.spot("server"), report_);
    const std::string port = map.text("http_listen_port", "80"), address = map.text("http_listen_address");
    const bool off = map.boolean("disable", false) || port == "0";
    if (!off) {
      const bool is_number =
          !port.empty() && port.size() <= 5 && std::ranges::all_of(port, [](unsigned char c) { return std::isdigit(c) != 0; });
      if ((!is_number || std::stoi(port) > 65535) && variables_of(port).empty())
        report_.wrong(map.spot("http_listen_port"), "there must be a port from 0 to 65535");
      made_.metrics = comment_text(fmt::format("{}:{}", address.empty() ? "0.0.0.0" : address, port));
      report_.exact(root.spot("server"), fmt::format("weir run --metrics {} serves metrics and health checks", made_.metrics));
    }
    for (const yaml::Entry& entry : node->entries) {
      const bool serves = entry.key.starts_with("http_tls_config") || entry.key.starts_with("tls_");
      if (serves) {
        (void)map.take(entry.key);
        report_.note(map.spot(entry.key), "weir serves metrics without TLS", "keep them on the loopback, or behind a proxy");
      } else if (entry.key.starts_with("http_") || entry.key.starts_with("grpc_") || entry.key.starts_with("log_") ||
                 entry.key.starts_with("graceful_") || entry.key.starts_with("register_") || entry.key.starts_with("report_grpc") ||
                 entry.key.starts_with("trace_") || entry.key.starts_with("throughput_") || entry.key == "cluster_validation" ||
                 entry.key == "proxy_protocol_enabled") {
        (void)map.take(entry.key);
      }
    }
    for (const char* const key : {"external_url", "health_check_target", "profiling_enabled", "enable_runtime_reload"})
      (void)map.take(key);
    map.finish();
  }

  Report& report_;
  Settings made_;
};

}  // namespace

Settings read_settings(MapReader& root, Report& report) { return SettingsReader(report).read(root); }

}  // namespace weir::convert
