"""Requests that a real Loki and `weir serve` must answer alike: (path, parameters[, headers]). START and END are replaced.

A parameter with several values is a list. Bodies are compared as JSON where they are JSON, without the statistics.
"""

CATEGORIZE = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
ALL = '{app=~".+"}'
TIME = {"start": "START", "end": "END"}
L = "/loki/api/v1/"


def ranged(query, headers=None, **more):
    return (L + "query_range", {"query": query, **TIME, **more}, headers or {})


def instant(query, **more):
    return (L + "query", {"query": query, "time": "END", **more}, {})


LINES = [
    ranged(ALL), ranged(ALL, CATEGORIZE), ranged(ALL, direction="forward"), ranged(ALL, CATEGORIZE, direction="FORWARD", limit=7),
    ranged('{app="shop"}', limit=1), ranged('{app="shop"}', limit=5000), ranged('{app="nope"}'), ranged('{app="nope"}', CATEGORIZE),
    ranged('{app="shop"} |= "status"', CATEGORIZE, limit=30), ranged('{app="shop"} | json', CATEGORIZE, limit=30),
    ranged('{app="shop"} | json', limit=30), ranged('{app="shop"} | logfmt', CATEGORIZE, limit=30),
    ranged('{app="shop"} | json | status=200', CATEGORIZE, limit=20),
    ranged('{app="shop"} | json | status=200 | label_format app=status, x="{{.trace}}"', CATEGORIZE, limit=20),
    ranged('{app="shop"} | json | status=200 | label_format app=status, x="{{.trace}}"', limit=20),
    ranged('{app="shop"} | label_format x="{{.nope}}"', limit=20), ranged('{app="shop"} | label_format x="{{.nope}}"', CATEGORIZE, limit=20),
    ranged('{app="shop"} | logfmt | line_format "{{.level}} {{.n}}"', CATEGORIZE, limit=20),
    ranged('{app="shop"} | drop trace', limit=20), ranged('{app="shop"} | drop trace', CATEGORIZE, limit=20),
    ranged('{app="shop"} | json | keep status, app', limit=20), ranged('{app="shop"} | json | keep status, app', CATEGORIZE, limit=20),
    ranged('{app="shop"} | trace="t1"', CATEGORIZE), ranged('{app="shop"} | detected_level="error"', limit=50),
    ranged('{app="shop"} | json | __error__=""', CATEGORIZE, limit=50), ranged('{app="shop"} | json | __error__!=""', CATEGORIZE, limit=50),
    ranged('{app="shop"} | decolorize |~ "(?i)PLAIN"', CATEGORIZE, limit=50), ranged('{app=~"shop|cart", pod!="a"}', limit=50),
    (L + "query_range", {"query": ALL, "start": "BETWEEN", "end": "BETWEEN"}, {}),
    (L + "query_range", {"query": ALL, "start": "START_SECONDS", "end": "END_SECONDS", "limit": 11}, {}),
    (L + "query_range", {"query": ALL, "start": "START_RFC", "end": "END_RFC", "limit": 11}, {}),
    (L + "query_range", {"query": ALL, "since": "3h", "limit": 11}, {}),
    (L + "query_range", {"query": ALL, "start": "START", "end": "END", "limit": 11, "unknown": "x", "step": "15000ms"}, {}),
    ("/api/prom/query", {"query": ALL, **TIME, "limit": 9}, {}), ("/api/prom/query", {"query": ALL, **TIME, "limit": 9, "regexp": "plain"}, {}),
    ("/api/prom/query", {"query": "rate(" + ALL + "[1m])", **TIME}, {}),
]

POINTS = [
    ranged(f"sum by (app) (count_over_time({ALL}[1m]))", step=60), ranged(f"count_over_time({ALL}[1m])", step=300),
    ranged(f"sum(rate({ALL}[1m]))", step="7.5"), ranged(f"sum(rate({ALL}[1m]))"), ranged("1+1", step=300), ranged("vector(3)", step="5m"),
    ranged(f"sum by (app) (count_over_time({ALL}[1m])) > 3", step=60), ranged('sum(rate({app="nope"}[1m]))', step=60),
    ranged(f'avg by (app) (avg_over_time({ALL} | json | unwrap duration(took) | __error__="" [5m]))', step=60),
    ranged(f'topk(2, sum by (pod, app) (bytes_over_time({ALL}[5m])))', step=300), ranged(f"sum(count_over_time({ALL}[1m])) or vector(0)", step=60, limit=9999),
    ranged(f'sum by (level, detected_level) (count_over_time({ALL} | drop __error__ [1m]))', CATEGORIZE, step="60000ms"),
    ranged(f'quantile_over_time(0.5, {ALL} | logfmt | unwrap n | __error__="" [5m]) by (app)', step=300),
    instant(f"sum(count_over_time({ALL}[1h]))"), instant(f"count_over_time({ALL}[1h])"), instant(f"sort_desc(sum by (app) (count_over_time({ALL}[1h])))"),
    instant(f"sort(sum by (pod) (count_over_time({ALL}[1h])))"), instant('sum(rate({app="nope"}[5m]))'), instant("vector(1)+vector(1)", time="4000000000"),
    instant(f"sum by (app) (rate({ALL}[1h])) / 3", limit=1), instant(f"absent_over_time({{app=\"nope\"}}[5m])"), instant("vector(0)/vector(0)"),
    instant(f"sum(rate({ALL}[5m])) * 1e30"), instant(f"label_replace(sum by (app) (rate({ALL}[1h])), \"x\", \"$1\", \"app\", \"(.).*\")"),
]

STREAMS = [
    (L + "labels", TIME, {}), (L + "label", TIME, {}), (L + "labels", {**TIME, "query": '{app="shop"}'}, {}), (L + "labels", {**TIME, "query": '{app="nope"}'}, {}),
    (L + "label/app/values", TIME, {}), (L + "label/app/values", {**TIME, "query": '{pod="a"}'}, {}), (L + "label/nope/values", TIME, {}),
    ("/api/prom/label", TIME, {}), ("/api/prom/series", TIME, {}),
    (L + "series", TIME, {}), (L + "series", {**TIME, "match": '{app="shop"}'}, {}), (L + "series", {**TIME, "match[]": ['{app="shop"}', '{pod="a"}']}, {}),
    (L + "series", {**TIME, "match": "{}"}, {}), (L + "series", {**TIME, "match": '{app="nope"}'}, {}), (L + "series", {**TIME, "match": '{app="shop"}', "query": '{pod="a"}'}, {}),
    (L + "detected_labels", TIME, {}), (L + "detected_labels", {**TIME, "query": '{app="shop"}'}, {}), (L + "detected_labels", {**TIME, "query": '{app="nope"}'}, {}),
    (L + "detected_fields", {**TIME, "query": '{app="shop"}'}, {}), (L + "detected_fields", {**TIME, "query": '{app="shop"} | json'}, {}),
    (L + "detected_fields", {**TIME, "query": '{app="shop"} |= "status"', "line_limit": 7}, {}), (L + "detected_fields", {**TIME, "query": '{app="nope"}'}, {}),
    (L + "detected_field/status/values", {**TIME, "query": '{app="shop"}'}, {}), (L + "detected_field/nope/values", {**TIME, "query": '{app="shop"}'}, {}),
    (L + "detected_field/size/values", {**TIME, "query": '{app="shop"}'}, {}), (L + "detected_field/trace/values", {**TIME, "query": '{app="shop"} | logfmt'}, {}),
    (L + "format_query", {"query": 'sum(rate({app="x"}|json|status>200 [5m]))by(a)'}, {}),
]

REFUSED = [
    ranged(""), ranged("{}"), ranged('{app=~".*"}'), ranged('{app="shop"'), ranged("sum by (app)(rate({app=~\".+\"}[5m])"), ranged('{app="shop"} | line_format "{{.x"'),
    ranged('{app="shop"} |~ "("'), ranged(ALL, limit=5001), ranged(ALL, limit=0), ranged(ALL, limit=-1), ranged(ALL, limit="x"), ranged(ALL, direction="x"),
    ranged(ALL, start="abc"), ranged(ALL, start="99999999999999999999"), ranged(ALL, end="2020-01-01T00:00:00"), ranged(ALL, since="1.5h"), ranged(ALL, since="x"),
    ranged(ALL, start="END", end="START"), ranged(ALL, step="x"), ranged(ALL, step="1.5s"), ranged(ALL, step="0"), ranged(ALL, step="-1"), ranged(ALL, step="1ms"),
    # Lengths are counted in milliseconds, which each path rounds in its own way.
    *((L + path, {"query": '{app="x"}', "match[]": '{app="x"}', "start": start, "end": end}, {})
      for path in ("query_range", "labels", "series", "index/stats", "index/volume", "detected_labels", "detected_fields")
      for start, end in (("1000000000000999999", "1003000000001000001"), ("1000000000000000001", "1003000000000000000"), ("1000000000.9", "1003000000.201"))),
    *((L + path, {"query": '{app="x"}' + " " * size, **TIME}, {}) for path in ("query_range", "labels", "index/stats", "format_query") for size in (131_063, 131_064)),
    ranged(ALL, interval="-1"), ranged(ALL, interval="x"), ranged(ALL, start="LONG_AGO"), ranged(f"sum(rate({ALL}[1m]))", start="LONG_AGO", step="1h"),
    ranged(f"sum(rate({ALL}[1m]))", step="0.0001"), ranged(f"count_over_time({ALL} | json [1m])", step=60, x="error of data"),
    instant(ALL), instant(""), instant(f"rate({ALL}[5m])", limit="x"), instant(f"rate({ALL}[5m])", limit=0), instant(f"rate({ALL}[5m])", time="x"),
    instant(f"rate({ALL}[5m])", direction="x"), instant("rate(5)"), instant(f"sum by (app)(rate({ALL}[1h])) * on() sum by (app,pod) (rate({ALL}[1h]))"),
    instant(f"sum by (app)(rate({ALL}[1h])) * on(app) sum by (app,pod) (rate({ALL}[1h]))"),
    (L + "labels", {"start": "x"}, {}), (L + "labels", {"start": "END", "end": "START"}, {}), (L + "labels", {"start": "LONG_AGO", "end": "END"}, {}),
    (L + "labels", {**TIME, "query": "{}"}, {}), (L + "labels", {**TIME, "query": '{app="shop"} |= "x"'}, {}), (L + "labels", {**TIME, "query": '{app="shop"'}, {}),
    (L + "label/app/values", {**TIME, "query": "x"}, {}), (L + "series", {**TIME, "match": ["{}", '{app="shop"}']}, {}), (L + "series", {**TIME, "match": "bad"}, {}),
    (L + "series", {**TIME, "match": '{app="shop"} |= "x"'}, {}), (L + "series", {**TIME, "match": '{app=~".*"}'}, {}), (L + "series", {"start": "LONG_AGO", "end": "END"}, {}),
    (L + "index/stats", TIME, {}), (L + "index/stats", {**TIME, "query": '{app="shop"} |= "a"'}, {}), (L + "index/stats", {**TIME, "query": 'rate({app="shop"}[1m])'}, {}),
    (L + "index/stats", {**TIME, "query": "{}"}, {}), (L + "index/stats", {"start": "END", "end": "START", "query": ALL}, {}),
    (L + "index/volume", TIME, {}), (L + "index/volume", {**TIME, "query": ALL, "aggregateBy": "x"}, {}), (L + "index/volume", {**TIME, "query": '{app="shop"} |= "x"'}, {}),
    (L + "index/volume", {"start": "LONG_AGO", "end": "END", "query": ALL}, {}), (L + "index/volume_range", {**TIME, "query": ALL, "step": "x"}, {}),
    (L + "detected_labels", {**TIME, "query": "bad"}, {}), (L + "detected_labels", {**TIME, "query": "{}"}, {}), (L + "detected_labels", {**TIME, "query": '{app="shop"} |= "x"'}, {}),
    (L + "detected_fields", {**TIME, "query": 'rate({app="shop"}[1m])'}, {}), (L + "detected_fields", {**TIME, "query": ""}, {}),
    (L + "detected_fields", {**TIME, "query": ALL, "limit": "x"}, {}), (L + "detected_fields", {**TIME, "query": ALL, "line_limit": 0}, {}),
    (L + "patterns", {**TIME, "query": ALL}, {}), (L + "patterns", {}, {}), (L + "format_query", {"query": 'sum(rate({app="x"'}, {}), (L + "format_query", {}, {}),
    (L + "query_range?query=%zz", {}, {}), (L + "query_range?query=a;b", {}, {}),
]

# What Grafana's data source asks (loki.md 2.9), in the order in which Explore does.
GRAFANA = [
    instant("vector(1)+vector(1)", time="4000000000"),
    (L + "labels", TIME, {}),
    (L + "label/app/values", {**TIME, "query": '{namespace="prod"}'}, {}),
    (L + "series", {**TIME, "match[]": '{app="shop"}'}, {}),
    (L + "detected_labels", {**TIME, "query": '{app="shop"}'}, {}),
    (L + "query_range", {"direction": "backward", "end": "END", "limit": 1000, "query": '{app="shop"} |= ``', "start": "START", "step": "2000ms"}, CATEGORIZE),
    (L + "query_range", {"direction": "backward", "end": "END", "query": 'sum by (level, detected_level) (count_over_time({app="shop"} |= `` | drop __error__[15s]))',
                         "start": "START", "step": "15000ms"}, {**CATEGORIZE, "X-Query-Tags": "Source=logvolhist"}),
    (L + "query_range", {"direction": "backward", "end": "END", "limit": 10, "query": '{app="shop"}', "start": "START", "step": "2000ms"},
     {**CATEGORIZE, "X-Query-Tags": "Source=datasample"}),
    (L + "query", {"direction": "backward", "query": 'sum by (pod) (count_over_time({app="shop"}[30m]))', "time": "END"}, CATEGORIZE),
    (L + "detected_fields", {**TIME, "query": '{app="shop"}', "limit": 1000, "line_limit": 1000}, {}),
]
