#!/usr/bin/env python3
"""Makes weir.json, a dashboard for Grafana 10 and later, from the description below.

usage: dashboard.py [--check]
Without --check it writes weir.json; with it, it changes nothing and ends with 1 when the file is out of date.
"""
import argparse
import json
import pathlib
import sys

TARGET = pathlib.Path(__file__).resolve().parent / "weir.json"
WIDTH = 24        # of Grafana's grid
SCHEMA = 38       # of Grafana 10; later ones migrate it
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN = 'node=~"$node",instance=~"$instance"'  # what the variables select; a target without the label node has the value ""


def of(name, *labels):
    """A selector of the metric, for the chosen targets."""
    return name + "{" + ",".join([CHOSEN, *labels]) + "}"


def rate(name, *labels):
    return f"rate({of(name, *labels)}[$__rate_interval])"


def total(name, by, *labels):
    return f"sum by ({by}) ({rate(name, *labels)})"


def quantile(share, name):
    return f"histogram_quantile({share}, sum by (le) ({rate(name + '_bucket')}))"


def quantiles(name):
    return [(f"p{round(100 * share)}", quantile(share, name)) for share in (0.5, 0.95, 0.99)]


def grown(name, *labels):
    """What a counter has grown by in the time that is shown."""
    return f"sum(increase({of(name, *labels)}[$__range]))"


def lost(function, span):
    """Of each target: buffer counts what it evicts. Push counts the same once more, and is asked where there is no buffer."""
    return " or ".join(f"{function}({of(f'weir_{stage}_lost_records_total')}[{span}])" for stage in ("buffer", "push"))


# ---- kinds of panels: (JSON, width, height) ------------------------------------------


def panel(kind, title, queries, unit, width, height, about, defaults=None, options=None, instant=False, table=False):
    targets = [{"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": expression, "legendFormat": legend,
                "range": not instant, "instant": instant, "format": "table" if table else "time_series"}
               for i, (legend, expression) in enumerate(queries)]
    made = {"type": kind, "title": title, "description": about, "datasource": DATASOURCE, "targets": targets,
            "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": []}, "options": options or {}}
    return made, width, height


def steps(*pairs):
    """Colours from these values on: (None, "green"), (300, "orange")."""
    return {"color": {"mode": "thresholds"},
            "thresholds": {"mode": "absolute", "steps": [{"color": colour, "value": value} for value, colour in pairs]}}


def stat(title, expression, unit, about, *colours, width=4):
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    return panel("stat", title, [("", expression)], unit, width, 4, about,
                 {**steps(*(colours or [(None, "blue")])), "noValue": "none"},
                 {"reduceOptions": reduce, "colorMode": "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto",
                  "orientation": "auto"}, instant=True)


def graph(title, queries, unit, about, width=8, stacked=False, least=0):
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "showPoints": "never", "spanNulls": False,
              "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    return panel("timeseries", title, queries, unit, width, 8, about, {"custom": custom, "min": least},
                 {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                  "tooltip": {"mode": "multi", "sort": "desc"}})


def table(title, expression, unit, about, width=12):
    return panel("table", title, [("", expression)], unit, width, 8, about, {}, {"showHeader": True, "footer": {"show": False}},
                 instant=True, table=True)


# ---- the description -----------------------------------------------------------------

GREEN, ORANGE, RED = "green", "orange", "red"
LOG = "{{log_namespace}}/{{log_pod}}/{{log_container}}"
ANY_LOSS = [(None, GREEN), (1, RED)]
DELAY = [(None, GREEN), (300, ORANGE), (2700, RED)]

ROWS = [
    ("Overview", [
        stat("Oldest undelivered record",
             f"max({of('weir_buffer_oldest_undelivered_seconds')} or {of('weir_push_oldest_unsent_seconds')})", "s",
             "The age of the oldest record that Loki has not acknowledged.", *DELAY),
        stat("Oldest unread line", f"max({of('weir_tail_oldest_unread_seconds')})", "s", "Of the log that is furthest behind.",
             *DELAY),
        stat("Spool is full in", f"min({of('weir_buffer_full_seconds')} < Inf)", "s",
             "At the rate of the last minutes. \"none\": at this rate it never fills.", (None, RED), (3600, ORANGE),
             (86400, GREEN)),
        stat("Lost records", f"sum({lost('increase', '$__range')})", "short",
             "Evicted from the spool, or unreadable there, before Loki had them; in the time that is shown.", *ANY_LOSS),
        stat("Lost parts of logs", grown("weir_tail_lost_parts_total"), "short",
             "Deleted or damaged before they were read; in the time that is shown.", *ANY_LOSS),
        stat("Refused by Loki", grown("weir_push_rejected_records_total"), "short",
             "Records that Loki refused for good; in the time that is shown.", *ANY_LOSS),
        graph("Records",
              [("read", f"sum({rate('weir_tail_read_records_total')})"),
               ("delivered", f"sum({rate('weir_push_delivered_records_total')})"),
               ("dropped by rules", f"sum({rate('weir_filter_dropped_records_total')})"),
               ("held", f"sum({rate('weir_filter_held_records_total')})")],
              "short", "Records a second, all chosen agents together.", width=12),
        graph("Delay of delivery",
              [("{{instance}}",
                f"topk(10, {of('weir_buffer_oldest_undelivered_seconds')} or {of('weir_push_oldest_unsent_seconds')})")],
              "s", "The age of the oldest record that Loki has not acknowledged: the ten agents that are furthest behind.",
              width=12),
        graph("Backlog", [("{{instance}}", f"topk(10, {of('weir_buffer_undelivered_records')})")], "short",
              "Records that wait in the spool for delivery: the ten agents that have most.", width=12),
        graph("Losses", [("parts of logs", f"sum({rate('weir_tail_lost_parts_total')})"),
                         ("records", f"sum({lost('rate', '$__rate_interval')})"),
                         ("records refused by Loki", f"sum({rate('weir_push_rejected_records_total')})")],
              "short", "A second. Each of them has an alert.", width=12),
    ]),
    ("Tail", [
        graph("Lag of the logs that are furthest behind", [(LOG, f"topk(10, {of('weir_tail_log_lag_seconds')})")], "s",
              "How long ago the first unread line was written. Each agent reports its five worst logs."),
        graph("Unread bytes of these logs", [(LOG, f"topk(10, {of('weir_tail_log_unread_bytes')})")], "bytes",
              "What is in the files and not read yet. Each agent reports its five worst logs."),
        graph("Who logs most", [(LOG, f"topk(10, {of('weir_tail_log_rate_bytes')})")], "Bps",
              "Bytes a second. Each agent reports its five largest logs."),
        graph("Read", [("{{instance}}", f"topk(10, {rate('weir_tail_read_bytes_total')})")], "Bps",
              "Bytes of lines a second: the ten busiest agents."),
        graph("Left out by tail", [("{{reason}}", total("weir_tail_dropped_records_total", "reason"))], "short",
              "Records a second, by reason."),
        graph("Logs and troubles", [("followed logs", f"sum({of('weir_tail_logs')})"),
                                    ("unreadable files", f"sum({of('weir_tail_unreadable_files_total')})"),
                                    ("malformed lines a second", f"sum({rate('weir_tail_malformed_lines_total')})"),
                                    ("lost bytes a second", f"sum({rate('weir_tail_lost_bytes_total')})")],
              "short", "Files that cannot be read, lines that do not have the format of their file."),
    ]),
    ("Rules", [
        graph("Records by rule", [("{{rule}}", f"topk(15, {total('weir_filter_rule_records_total', 'rule')})")], "short",
              "Records a second that each rule acted on. `weir rules list FILE` shows what the rules say.", width=12),
        graph("Bytes by rule", [("{{rule}}", f"topk(15, {total('weir_filter_rule_bytes_total', 'rule')})")], "Bps",
              "Bytes of lines a second that each rule acted on.", width=12),
        graph("Dropped by reason", [("{{reason}}", total("weir_filter_dropped_records_total", "reason"))], "short",
              "Records a second.", stacked=True),
        graph("Rules in use",
              [("active {{instance}}", of("weir_filter_active_rules")),
               ("temporary {{instance}}", of("weir_filter_temporary_rules")),
               ("broken {{instance}}", of("weir_filter_rules_broken_files"))], "short",
              "\"broken\" is 1 while a changed rule file cannot be used and the older rules stay in use."),
        graph("Share that a reload drops", [("{{instance}}", of("weir_filter_reload_dropped_ratio"))], "percentunit",
              "What the newest rules drop of what passed in the minute before they came. Over one half there is an alert."),
        table("Temporary rules", f"({of('weir_filter_rule_expires_timestamp_seconds')} > time()) * 1000", "dateTimeAsIso",
              "Rules with a lifetime, and when each ends."),
        graph("Reloads", [("taken", f"sum(increase({of('weir_filter_rules_reloads_total')}[$__rate_interval]))"),
                          ("failed", f"sum(increase({of('weir_filter_rules_reload_failures_total')}[$__rate_interval]))")], "short",
              "How often changed rules took effect, or could not.", width=12),
    ]),
    ("Spool", [
        graph("Undelivered", [("{{instance}}", f"topk(10, {of('weir_buffer_undelivered_bytes')})")], "bytes",
              "What waits in the spool for delivery: the ten agents that have most."),
        graph("Size and limit", [("size {{instance}}", f"topk(10, {of('weir_buffer_size_bytes')})"),
                                 ("limit {{instance}}", f"topk(10, {of('weir_buffer_limit_bytes')} < Inf)")], "bytes",
              "Of the spool's file. It also keeps delivered records (--retain), so a full file alone is no trouble."),
        graph("Full in", [("{{instance}}", f"bottomk(10, {of('weir_buffer_full_seconds')} < Inf)")], "s",
              "Time until undelivered records fill the spool, at the rate of the last minutes. Empty while it does not fill."),
        graph("Commits", quantiles("weir_buffer_commit_duration_seconds"), "s",
              "How long a commit takes: half, 95 and 99 of 100 are faster."),
        graph("Evicted, failed", [("evicted records a second", f"sum({rate('weir_buffer_evicted_records_total')})"),
                                  ("failed commits", f"sum(increase({of('weir_buffer_store_failures_total')}[$__rate_interval]))"),
                                  ("unreadable records a second", f"sum({rate('weir_buffer_unreadable_records_total')})")], "short",
              "Undelivered records that made room for newer ones, and commits that failed."),
        graph("Held records", [("{{instance}}", f"topk(10, {of('weir_buffer_held_stored_bytes')})")], "bytes",
              "What rules hold in the spool (hold), until it is released or too old."),
    ]),
    ("Push", [
        graph("Answers", [("{{code}}", total("weir_push_responses_total", "code"))], "reqps",
              "Push requests a second, by status code. \"error\": no answer.", stacked=True),
        graph("Duration of a request", quantiles("weir_push_request_duration_seconds"), "s",
              "Half, 95 and 99 of 100 requests are faster."),
        graph("Last success", [("{{instance}}", f"topk(10, time() - ({of('weir_push_last_success_timestamp_seconds')} > 0))")], "s",
              "How long ago Loki last took a request: the ten agents with the oldest. It also grows while nothing is logged."),
        graph("Delivered", [("lines and metadata", f"sum({rate('weir_push_delivered_bytes_total')})"),
                            ("compressed requests", f"sum({rate('weir_push_sent_bytes_total')})")], "Bps", "Bytes a second."),
        graph("Refused, by reason", [("{{reason}}", total("weir_push_rejected_records_total", "reason"))], "short",
              "Records a second that Loki refused for good. `weir replay SPOOL --rejected` shows them."),
        graph("Rate limits and back-off", [("429 a second", f"sum({rate('weir_push_rate_limited_requests_total')})"),
                                           ("repeated requests a second", f"sum({rate('weir_push_repeated_requests_total')})"),
                                           ("longest back-off (s)", f"max({of('weir_push_backoff_seconds')})")], "short",
              "Requests that Loki limits, requests that were sent again, and how long push waits now."),
        graph("In flight",
              [("pending", f"sum({of('weir_push_pending_records')})"),
               ("left in the spool", f"sum({of('weir_push_left_records')})")],
              "short", "Records that wait for an answer, and records of streams that Loki limits.", width=12),
        graph("Not sent, by reason", [("{{reason}}", total("weir_push_dropped_records_total", "reason"))], "short",
              "Records a second that push was told not to send.", width=12),
    ]),
    ("Process", [
        graph("CPU", [("{{instance}}", f"topk(10, {rate('process_cpu_seconds_total')} and on (instance, job) weir_build_info)")],
              "percentunit",
              "Share of one core: the ten busiest agents."),
        graph("Memory",
              [("{{instance}}", f"topk(10, {of('process_resident_memory_bytes')} and on (instance, job) weir_build_info)")],
              "bytes",
              "Resident memory: the ten largest agents."),
        graph("Open files", [("{{instance}}", f"topk(10, {of('process_open_fds')} and on (instance, job) weir_build_info)")],
              "short", "File descriptors."),
        graph("Blocked", [("{{on}}", total("weir_blocked_seconds_total", "on"))], "percentunit",
              "The share of time that chains waited, by reason: disk, room in the spool, loki, lock, output.", stacked=True),
        graph("Books", [("{{stage}} {{instance}}", f"{of('weir_unaccounted_records')} != 0"),
                        ("age of the figures (s) {{instance}}", f"{of('weir_snapshot_age_seconds')} > 15")], "short",
              "Records that a stage cannot account for. Nothing is shown while the books balance.", least=None),
        graph("Reloads of pipelines", [("taken", f"sum(increase({of('weir_run_reloads_total')}[$__rate_interval]))"),
                                       ("failed", f"sum(increase({of('weir_run_reload_failures_total')}[$__rate_interval]))"),
                                       ("broken {{instance}}", f"{of('weir_run_broken_texts')} > 0")], "short",
              "\"broken\" is shown while a changed file of pipelines cannot be used."),
        table("Versions", f"count by (version) ({of('weir_build_info')})", "short", "How many agents run each version."),
        graph("Records without pod metadata", [("{{instance}}", f"topk(10, {rate('weir_enrich_unknown_records_total')})")], "short",
              "Records a second whose pod is not known.", width=12),
        graph("Pods", [("known {{instance}}", f"topk(10, {of('weir_enrich_known_pods')})"),
                       ("unreachable {{instance}}", f"{of('weir_enrich_unreachable_pod_sources')} > 0"),
                       ("failures {{instance}}", f"topk(10, {rate('weir_enrich_pod_request_failures_total')}) > 0")], "short",
              "enrich --kubernetes api or kubelet: pods that it knows, and requests for pods that fail. \"unreachable\" is shown while "
              "nobody answers.", width=12),
    ]),
    ("Smoke test", [
        graph("Runs", [("{{result}}", f"sum by (result) (increase({of('weir_smoke_finished_runs_total')}[$__rate_interval]))")],
              "short", "`weir smoke --every`: runs, by result. \"none\": Loki could not be asked."),
        graph("Faulty records, by fault",
              [("{{fault}}", f"sum by (fault) (increase({of('weir_smoke_faulty_records_total')}[$__rate_interval]))")],
              "short", "Records that did not come back as they went."),
        graph("From sending to reading", quantiles("weir_smoke_arrival_latency_seconds"), "s",
              "How long it takes until a query shows a record."),
    ]),
]


def variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "query": {"query": query, "refId": name},
            "definition": query, "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "options": [], "hide": 0, "regex": "",
            "skipUrlSync": False}


def made():
    panels, y = [], 0
    for number, (title, group) in enumerate(ROWS):
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "id": 100 * number + 100,
                       "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y}})
        y += 1
        x = tallest = 0
        for i, (content, width, height) in enumerate(group):
            if x + width > WIDTH:
                y, x, tallest = y + tallest, 0, 0
            panels.append({**content, "id": 100 * number + 101 + i, "gridPos": {"h": height, "w": width, "x": x, "y": y}})
            x, tallest = x + width, max(tallest, height)
        y += tallest
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
              "multi": False, "includeAll": False, "current": {}, "options": [], "hide": 0, "regex": "", "skipUrlSync": False}
    dashboard = {
        "uid": "weir", "title": "weir", "description": "Log pipelines: how far behind they are, what was lost, and why.",
        "tags": ["weir", "logs"], "schemaVersion": SCHEMA, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "1m",
        "timezone": "", "fiscalYearStartMonth": 0, "time": {"from": "now-3h", "to": "now"}, "timepicker": {}, "links": [],
        "annotations": {"list": []}, "liveNow": False, "weekStart": "",
        "templating": {"list": [source, variable("node", "Node", "label_values(weir_build_info, node)"),
                                variable("instance", "Instance", 'label_values(weir_build_info{node=~"$node"}, instance)')]},
        "panels": panels,
    }
    return json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true")
    text = made()
    if not arguments.parse_args().check:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        sys.exit(f"{TARGET.name} is out of date: run {pathlib.Path(__file__).name}")


if __name__ == "__main__":
    main()
