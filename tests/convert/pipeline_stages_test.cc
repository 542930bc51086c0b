#include "convert/pipeline_stages.h"

#include "convert/made.h"

#include <gmock/gmock.h>

namespace weir::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A job that reads one file, with these stages.
Conversion of_stages(const std::string& stages) {
  return made(
      "clients: [{url: 'http://loki:3100'}]\nscrape_configs:\n- job_name: j\n  static_configs: [{labels: {job: j, __path__: "
      "/var/log/a.log}}]\n"
      "  pipeline_stages:\n" +
      stages);
}
constexpr std::string_view kStages = "scrape_configs[0].pipeline_stages";

// The stages of weir between tail's positions and the buffer.
std::string middle(const Conversion& conversion) {
  std::string text = pipelines(conversion);
  for (const std::string_view gone :
       {"tail -f --positions /var/log/positions.yaml ", " | buffer /var/lib/weir/spool.db | push http://loki:3100\n",
        " /var/log/a.log | enrich --no-service-name", " --filename label"}) {
    const std::size_t at = text.find(gone);
    // Where the label is dropped, tail is not asked for it.
    EXPECT_TRUE(at != std::string::npos || gone == " --filename label") << gone << " in " << text;
    if (at != std::string::npos) text.erase(at, gone.size());
  }
  while (text.starts_with(' ')) text.erase(0, 1);
  return text;
}

struct Case {
  std::string stages;  // indented by two blanks
  std::string middle;  // what tail, enrich and filter do
  std::string rules;
  std::vector<std::string> differences = {};  // behind pipeline_stages
};
class Stages : public testing::TestWithParam<Case> {};
TEST_P(Stages, BecomeThoseOfWeir) {
  const Conversion conversion = of_stages(GetParam().stages);
  EXPECT_EQ(middle(conversion), GetParam().middle);
  EXPECT_EQ(rules_of(conversion), GetParam().rules);
  std::vector<std::string> expected;
  for (const std::string& one : GetParam().differences) {
    const std::size_t bracket = one.find('[');
    expected.push_back(one.substr(0, bracket) + std::string(kStages) + one.substr(bracket));
  }
  EXPECT_EQ(differences(conversion), expected);
}

const std::string kRules = " | filter --rules /etc/weir/rules";

INSTANTIATE_TEST_SUITE_P(
    Tail, Stages,
    testing::Values(
        Case{"  - cri: {}\n", "--format cri --label job=j", ""}, Case{"  - docker:\n", "--format docker --label job=j", ""},
        Case{"  - decolorize:\n",
             "--format raw --label job=j" + kRules,
             "redact `\\x1b\\[[0-?]*[ -/]*[@-~]` with ``\n",
             {"note [0].decolorize"}},
        Case{"  - cri: {max_partial_line_size: 16kb, max_partial_line_size_truncate: true}\n",
             "--format cri --max-line 16384 --label job=j",
             "",
             {"note [0].cri.max_partial_line_size"}},
        Case{"  - docker: {}\n  - multiline: {firstline: '^\\d', max_wait_time: 5s}\n",
             "--format docker --multiline '^\\d' --multiline-lines 128 --multiline-wait 5s --label job=j",
             "",
             {"note [1].multiline"}},
        // A word would be a language.
        Case{"  - multiline: {firstline: java, max_lines: 0, max_wait_time: 0s}\n",
             "--multiline '(?:java)' --multiline-lines 1000000 --multiline-wait 1ms --format raw --label job=j",
             "",
             {"note [0].multiline"}},
        Case{"  - multiline: {firstline: ^a, max_lines: 1}\n",
             "--multiline '^a' --multiline-lines 2 --multiline-wait 3s --format raw --label job=j",
             "",
             {"not expressible [0].multiline.max_lines", "note [0].multiline"}},
        Case{"  - json: {expressions: {a: }}\n  - cri: {}\n", "--format raw --label job=j", "", {"not expressible [1].cri"}}));

INSTANTIATE_TEST_SUITE_P(
    Enrich, Stages,
    testing::Values(
        Case{"  - json: {expressions: {level: , id: trace.id}}\n  - labels: {level: }\n  - structured_metadata: {trace_id: id}\n",
             "--format raw --parse 'json id=`trace.id`, level=`level`' --to-label level --to-metadata id=trace_id --label job=j",
             ""},
        Case{"  - logfmt: {mapping: {lvl: level, msg: }}\n  - labels: {severity: lvl}\n",
             "--format raw --parse 'logfmt lvl=`level`' --to-label lvl=severity --label job=j", ""},
        Case{"  - regex: {expression: '^(?P<ip>\\S+) (?P<user>\\S+)'}\n  - labels: {user: }\n",
             "--format raw --parse 'regexp `^(?P<ip>\\S+) (?P<user>\\S+)`' --to-label user --label job=j", ""},
        Case{"  - json: {expressions: {ts: time}}\n  - timestamp: {source: ts, format: RFC3339Nano, action_on_failure: skip}\n",
             "--format raw --parse 'json ts=`time`' --timestamp-from ts --label job=j", ""},
        // A fallback is an enrich of its own, in front of the format that counts more.
        Case{"  - json: {expressions: {ts: time}}\n  - timestamp: {source: ts, format: UnixMs, fallback_formats: [RFC3339], "
             "action_on_failure: skip}\n",
             "--format raw --parse 'json ts=`time`' --timestamp-from ts --label job=j | enrich --no-service-name --parse 'json "
             "ts=`time`' --timestamp-from ts unix_ms",
             ""},
        Case{"  - json: {expressions: {ts: time}}\n  - timestamp: {source: ts, format: '2006-01-02 15:04:05', location: "
             "Europe/Berlin}\n",
             "--format raw --parse 'json ts=`time`' --timestamp-from ts '2006-01-02 15:04:05' --label job=j",
             "",
             {"not expressible [1].timestamp.location", "note [1].timestamp"}},
        // The runtime's time is the record's already.
        Case{"  - cri: {}\n  - timestamp: {source: time, format: RFC3339Nano}\n", "--format cri --label job=j", ""},
        Case{"  - static_labels: {a: b, c: 1}\n", "--format raw --label job=j --label a=b --label c=1", ""},
        Case{"  - static_labels: {a: b}\n  - labeldrop: [a, filename]\n", "--format raw --label job=j --keep-labels job", ""},
        Case{"  - static_labels: {a: b}\n  - labelallow: [job, a]\n", "--format raw --label job=j --label a=b --keep-labels a,job",
             ""},
        Case{"  - structured_metadata: {filename: }\n", "--format raw --label job=j --keep-labels job", ""},
        Case{"  - template: {source: app, template: shop}\n  - labels: {app: }\n", "--format raw --label job=j --label app=shop",
             ""},
        Case{"  - tenant: {label: job}\n", "--format raw --label job=j --tenant-from job", ""},
        Case{"  - static_labels: {team: red}\n  - tenant: {label: team}\n  - labeldrop: [team]\n",
             "--format raw --label job=j --label team=red --tenant-from team --keep-labels filename,job", ""},
        Case{"  - json: {expressions: {customer: }}\n  - tenant: {source: customer}\n",
             "--format raw --parse 'json customer=`customer`' --to-metadata customer --label job=j --tenant-from customer",
             "",
             {"note [1].tenant"}},
        // A label that a parser sets after a constant one of the same name.
        Case{"  - static_labels: {level: info}\n  - json: {expressions: {level: }}\n  - labels: {level: }\n",
             "--format raw --label job=j --label level=info | enrich --no-service-name --parse 'json level=`level`' --to-label "
             "level",
             ""}));

INSTANTIATE_TEST_SUITE_P(
    Rules, Stages,
    testing::Values(
        Case{"  - drop: {expression: '.*debug.*'}\n", "--format raw --label job=j" + kRules, "drop |~ `.*debug.*`\n"},
        Case{"  - drop: {longer_than: 8kb, drop_counter_reason: too_long}\n", "--format raw --label job=j" + kRules,
             "name too_long: drop | label_format f_length=`{{ len __line__ }}` | f_length > 8192\n"},
        Case{"  - drop: {older_than: 24h}\n", "--format raw --label job=j" + kRules,
             "drop | label_format f_age=`{{ sub (unixEpoch now) (unixEpoch __timestamp__) }}s` | f_age > 24h\n"},
        Case{"  - json: {expressions: {level: }}\n  - drop: {source: level, value: debug}\n", "--format raw --label job=j" + kRules,
             "drop | json f_level=`level` | f_level=`debug`\n"},
        Case{"  - logfmt: {mapping: {level: }}\n  - drop: {source: level, expression: '^(debug|trace)$'}\n",
             "--format raw --label job=j" + kRules, "drop | logfmt f_level=`level` | f_level=~`^(?s:.*(?:^(debug|trace)$).*)$`\n"},
        Case{"  - regex: {expression: '(?P<code>\\d+)'}\n  - drop: {source: code}\n", "--format raw --label job=j" + kRules,
             "drop | regexp `(?P<f_code>\\d+)` | f_code!=\"\"\n"},
        Case{"  - drop: {source: filename, expression: 'a.log'}\n", "--format raw --label job=j" + kRules,
             "drop | filename=~`^(?s:.*(?:a.log).*)$`\n"},
        Case{"  - json: {expressions: {a: , b: }}\n  - drop: {source: [a, b], expression: 'x;y'}\n",
             "--format raw --label job=j",
             "",
             {"not expressible [1].drop"}},
        Case{"  - match: {selector: '{filename=~\".*a.*\"} |= \"x\" != \"y\"', action: drop, drop_counter_reason: noise}\n",
             "--format raw --label job=j" + kRules, "name noise: drop {filename=~\".*a.*\"} |= \"x\" != \"y\"\n"},
        // What is true for all records of the job needs no selector.
        Case{"  - match: {selector: '{job=\"j\"} |= \"x\"', action: drop}\n", "--format raw --label job=j" + kRules,
             "drop |= \"x\"\n"},
        Case{"  - match: {selector: '{job=\"other\"}', action: drop}\n", "--format raw --label job=j", "", {"note [0].match"}},
        Case{"  - match: {selector: '{job=~\"j.*\"}', stages: [{json: {expressions: {app: }}}, {labels: {app: }}]}\n",
             "--format raw --parse 'json app=`app`' --to-label app --label job=j", ""},
        Case{"  - match: {selector: '{filename=\"/a\"}', stages: [{json: {expressions: {app: }}}, {labels: {app: }}, {drop: "
             "{expression: x}}]}\n",
             "--format raw --label job=j" + kRules,
             "drop {filename=\"/a\"} |~ `x`\n",
             {"not expressible [0].match.stages[1].labels.app"}},
        Case{"  - match: {selector: '{filename=\"/a\"}', stages: [{tenant: {value: team-a}}]}\n",
             "--format raw --label job=j" + kRules, "tenant team-a {filename=\"/a\"}\n"},
        Case{"  - limit: {rate: 10, burst: 20, drop: true}\n",
             "--format raw --label job=j" + kRules,
             "limit 10/s burst 20\n",
             {"note [0].limit"}},
        Case{"  - limit: {rate: 0.5, burst: 60, drop: true, by_label_name: app}\n",
             "--format raw --label job=j" + kRules,
             "limit 30/m burst 60 by (app) {app!=\"\"}\n",
             {"note [0].limit"}},
        Case{"  - limit: {rate: 10, burst: 20}\n", "--format raw --label job=j", "", {"not expressible [0].limit"}},
        Case{"  - sampling: {rate: 0.25}\n", "--format raw --label job=j" + kRules, "sample 25%\n", {"note [0].sampling"}},
        Case{"  - replace: {expression: 'password=(\\S+)', replace: '****'}\n",
             "--format raw --label job=j" + kRules,
             "redact `(password=)(?:\\S+)` with `\\1****`\n",
             {"note [0].replace"}},
        Case{"  - regex: {expression: '^\\S+ (?P<msg>.*)$'}\n  - output: {source: msg}\n",
             "--format raw --label job=j" + kRules,
             "redact `(?s:^.*?)(?:^\\S+ (?P<msg>.*)$)(?s:.*)$` with `\\1`\n",
             {"note [1].output"}},
        // The label comes from the line as it was, though its stage stands behind.
        Case{"  - regex: {expression: '^(?P<app>\\S+) (?P<msg>.*)$'}\n  - output: {source: msg}\n  - labels: {app: }\n",
             "--format raw --parse 'regexp `^(?P<app>\\S+) (?P<msg>.*)$`' --to-label app --label job=j" + kRules,
             "redact `(?s:^.*?)(?:^(?P<app>\\S+) (?P<msg>.*)$)(?s:.*)$` with `\\2`\n",
             {"note [1].output"}},
        // A parser behind it reads the new line.
        Case{"  - regex: {expression: '^(?P<app>\\S+) (?P<msg>.*)$'}\n  - output: {source: msg}\n  - json: {expressions: {level: "
             "}}\n  - labels: {level: }\n",
             "--format raw --label job=j" + kRules + " | enrich --no-service-name --parse 'json level=`level`' --to-label level",
             "redact `(?s:^.*?)(?:^(?P<app>\\S+) (?P<msg>.*)$)(?s:.*)$` with `\\2`\n",
             {"note [1].output"}},
        Case{"  - json: {expressions: {msg: }}\n  - output: {source: msg}\n  - drop: {expression: x}\n",
             "--format raw --label job=j",
             "",
             {"not expressible [1].output", "not expressible [2].drop"}},
        Case{"  - json: {expressions: {a: }, drop_malformed: true}\n", "--format raw --label job=j" + kRules,
             "drop | json f_any=`f_any` | __error__!=\"\"\n"}));

INSTANTIATE_TEST_SUITE_P(
    NotExpressible, Stages,
    testing::Values(
        Case{"  - pack: {labels: [a]}\n", "--format raw --label job=j", "", {"not expressible [0].pack"}},
        Case{"  - geoip: {db: x, db_type: city}\n", "--format raw --label job=j", "", {"not expressible [0].geoip"}},
        Case{"  - metrics: {lines: {type: Counter, config: {action: inc}}}\n",
             "--format raw --label job=j",
             "",
             {"not expressible [0].metrics.lines"}},
        Case{"  - json: {expressions: {l: }}\n  - template: {source: l, template: '{{ ToLower .Value }}'}\n  - labels: {l: }\n",
             "--format raw --label job=j",
             "",
             {"not expressible [1].template", "not expressible [2].labels.l"}},
        Case{"  - json: {expressions: {a: 'length(x)'}}\n",
             "--format raw --label job=j",
             "",
             {"not expressible [0].json.expressions.a"}},
        Case{"  - json: {expressions: {a: }}\n  - json: {source: a, expressions: {b: }}\n  - labels: {b: }\n",
             "--format raw --label job=j",
             "",
             {"not expressible [1].json.source", "not expressible [2].labels.b"}},
        Case{"  - drop: {expression: x, colour: red}\n",
             "--format raw --label job=j" + kRules,
             "drop |~ `x`\n",
             {"not expressible [0].drop.colour"}},
        Case{"  - labels: {a: b}\n", "--format raw --label job=j", "", {"note [0].labels.a"}}));

TEST(StagesMistakes, EndTheConversion) {
  for (const char* const bad :
       {"  - nothing: {}\n", "  - {json: {}, regex: {}}\n", "  - json\n", "  - regex: {expression: '('}\n", "  - json: {}\n",
        "  - match: {selector: '{a=}', action: drop}\n", "  - match: {selector: '{a=\"b\"}'}\n",
        "  - match: {selector: '{a=\"b\"} | json', action: drop}\n", "  - drop: {}\n", "  - limit: {rate: x, burst: 1}\n",
        "  - sampling: {rate: 2}\n", "  - multiline: {firstline: '['}\n", "  - drop: {older_than: soon}\n", "  - labels: [a]\n",
        "  - output: {}\n"}) {
    const auto result = convert_promtail(
        std::string(
            "clients: []\nscrape_configs:\n- job_name: j\n  static_configs: [{labels: {__path__: /a}}]\n  pipeline_stages:\n") +
            bad,
        {});
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.error().code, base::Code::config);
    EXPECT_TRUE(result.error().message.starts_with("promtail.yaml:6:")) << result.error().message;
  }
}

TEST(StagesValues, AreRead) {
  EXPECT_EQ(duration_word("1h30m"), "1h30m");
  EXPECT_EQ(duration_word("0.5s"), "0.5s");
  for (const char* const bad : {"", "5", "h", "1d", "1 h"}) EXPECT_EQ(duration_word(bad), "") << bad;
  EXPECT_EQ(size_of("256kb"), 262144U);
  EXPECT_EQ(size_of("2M"), 2097152U);
  EXPECT_EQ(size_of("10"), 10U);
  for (const char* const bad : {"", "kb", "1x", "-1", "99999999999999999999"}) EXPECT_FALSE(size_of(bad)) << bad;
}

}  // namespace
}  // namespace weir::convert
