#include "ruler/alert_template.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weir::ruler {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string expanded(std::string_view text, double value) {
  auto compiled = AlertTemplate::compile(text, "Test");
  if (!compiled) return "compile: " + compiled.error().message;
  const auto labels = record::LabelSet::intern({{"namespace", "shop"}, {"instance", "node-1.example.org:9123"}});
  const Pairs external = {{"cluster", "eu"}};
  const base::Timestamp time = 1795953600123 * base::kMillisecond;
  return compiled->expand({labels.get(), value, time, &external, "https://loki.example:3100/ruler?x"});
}

struct Row {
  const char* text;
  double value;
  const char* expected;
};

// What Prometheus 2.42 and 3 print; tests/alerts compares the functions with promtool's.
TEST(AlertTemplate, Expands) {
  const Row rows[] = {
      {"no template at all", 0, "no template at all"},
      {"{{ $labels.namespace }}/{{ .Labels.namespace }}/{{ $labels.absent }}/", 0, "shop/shop//"},
      {"{{ $externalLabels.cluster }} {{ .ExternalLabels.cluster }}", 0, "eu eu"},
      {"{{ $externalURL }} {{ externalURL }} {{ pathPrefix }}", 0,
       "https://loki.example:3100/ruler?x https://loki.example:3100/ruler?x /ruler"},
      {"{{ $value }} {{ .Value }}", 0.25, "0.25 0.25"},
      {"{{ $value }}", 1e21, "1e+21"},
      {"{{ $value }}", 1234567, "1.234567e+06"},
      {"{{ $value }}", kInfinity, "+Inf"},
      {"{{ if gt $value 0.5 }}much{{ else }}little{{ end }}", 0.75, "much"},
      {"{{ range $name, $text := $labels }}{{ $name }}={{ $text }};{{ end }}", 0,
       "instance=node-1.example.org:9123;namespace=shop;"},
      {"{{ with $labels.absent }}a{{ else }}b{{ end }}", 0, "b"},
      {"{{ define \"x\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"x\" (args 1 \"b\") }}", 0, "1-b"},
      {"{{ args 1 2.5 \"z\" $value }} {{ len (args) }} {{ (args 1).arg7 }}", 1,
       "map[arg0:1 arg1:2.5 arg2:z arg3:1] 0 <no value>"},  // promtool 2.42 gives the same
      {"{{ printf \"%.2f\" $value }}", 3.14159, "3.14"},
      {"{{ $value | printf \"%.0f lines\" }}", 41.7, "42 lines"},
      {"{{ humanize $value }}", 0, "0"},
      {"{{ humanize $value }}", 1234567, "1.235M"},
      {"{{ humanize $value }}", 999.96, "1000"},
      {"{{ humanize $value }}", 0.00123, "1.23m"},
      {"{{ humanize $value }}", -1500, "-1.5k"},
      {"{{ humanize $value }}", kInfinity, "+Inf"},
      {"{{ humanize $value }}", std::nan(""), "NaN"},
      {"{{ humanize $value }}", 1e30, "1e+06Y"},
      {"{{ \"2500\" | humanize }}", 0, "2.5k"},
      {"{{ humanize1024 $value }}B", 1536, "1.5kiB"},
      {"{{ humanize1024 $value }}B", 3e6, "2.861MiB"},
      {"{{ humanize1024 $value }}", 0.5, "0.5"},
      {"{{ humanizeDuration $value }}", 0, "0s"},
      {"{{ humanizeDuration $value }}", 12.3456, "12.35s"},
      {"{{ humanizeDuration $value }}", 61, "1m 1s"},
      {"{{ humanizeDuration $value }}", 3600, "1h 0m 0s"},
      {"{{ humanizeDuration $value }}", 90061.9, "1d 1h 1m 1s"},
      {"{{ humanizeDuration $value }}", -90, "-1m 30s"},
      {"{{ humanizeDuration $value }}", 0.0123, "12.3ms"},
      {"{{ humanizePercentage $value }}", 0.43217, "43.22%"},
      {"{{ humanizePercentage $value }}", 1000, "1e+05%"},
      {"{{ humanizeTimestamp $value }}", 1795953600.5, "2026-11-29 12:00:00.5 +0000 UTC"},
      {"{{ (toTime $value).Year }}", 1795953600, "2026"},
      {"{{ toDuration $value }}", 90.5, "1m30.5s"},
      {"{{ now }}", 0, "1.795953600123e+09"},
      {"{{ parseDuration \"1h30m\" }}", 0, "5400"},
      {"{{ toUpper $labels.namespace }} {{ \"ABC\" | toLower }} {{ title \"a bc\" }}", 0, "SHOP abc A Bc"},
      {"{{ reReplaceAll \"s(.)op\" \"$1-\" $labels.namespace }}", 0, "h-"},
      {"{{ match \"^sh\" $labels.namespace }} {{ match \"^x\" \"y\" }}", 0, "true false"},
      {"{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}", 0, "node-1.example.org node-1:9123"},
      {"{{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"a.b\" }}", 0,
       "::1 ::1 10.0.0.1:80 a"},
      {"{{ urlQueryEscape \"a b&c\" }} {{ graphLink \"up > 0\" }} {{ tableLink \"up\" }}", 0,
       "a+b%26c /graph?g0.expr=up+%3E+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1"},
  };
  for (const Row& row : rows) EXPECT_EQ(expanded(row.text, row.value), row.expected) << row.text << " of " << row.value;
}

TEST(AlertTemplate, AFailureIsItsText) {
  EXPECT_EQ(
      expanded("{{ .Foo }}", 0),
      "<error expanding template: error executing template __alert_Test: template: __alert_Test:1:115: executing \"__alert_Test\" "
      "at <.Foo>: can't evaluate field Foo in type struct { Labels map[string]string; ExternalLabels map[string]string; "
      "ExternalURL string; Value float64 }>");
  EXPECT_EQ(expanded("{{ humanize \"x\" }}", 0).find("<error expanding template: error executing template __alert_Test: "), 0U)
      << expanded("{{ humanize \"x\" }}", 0);
}

TEST(AlertTemplate, MistakesSayWhatToDo) {
  struct Mistake {
    const char* text;
    const char* message;
    const char* hint;
  };
  const Mistake mistakes[] = {
      {"{{ humanise $value }}", "template: __alert_A:1: function \"humanise\" not defined", "did you mean 'humanize'?"},
      {"{{ upper $labels.x }}", "template: __alert_A:1: function \"upper\" not defined",
       "functions are those of Prometheus: humanize, humanizePercentage, toUpper, printf, …"},
      {"{{ query \"up\" }}", "template: __alert_A:1: function \"query\" not defined",
       "weir has no server that 'query' could ask: say it in the expression"},
      {"{{ strvalue 3 }}", "template: __alert_A:1: function \"strvalue\" not defined",
       "'strvalue' is for the results of 'query', and weir has no server to ask"},
      {"{{ tmpl \"x\" . }}", "template: __alert_A:1: function \"tmpl\" not defined",
       "Prometheus has 'tmpl' in its consoles, not in rules: {{ template \"name\" . }} does the same"},
      {"{{ $lables.x }}", "template: __alert_A:1: undefined variable \"$lables\"",
       "the variables are $labels, $value, $externalLabels and $externalURL"},
  };
  for (const Mistake& mistake : mistakes) {
    const auto compiled = AlertTemplate::compile(mistake.text, "A");
    ASSERT_FALSE(compiled.ok()) << mistake.text;
    EXPECT_EQ(compiled.error().message, mistake.message);
    EXPECT_EQ(compiled.error().hint, mistake.hint);
  }
  EXPECT_FALSE(AlertTemplate::compile("{{ $value", "A").ok());
}

}  // namespace
}  // namespace weir::ruler
