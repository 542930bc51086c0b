"""Records and metric queries for metric_test.py: tables of ours, and a generator."""
import collections
import json
import random

SECOND = 1_000_000_000

STREAMS = [
    {"app": "shop", "pod": "web-0", "zone": "a"}, {"app": "shop", "pod": "web-1", "zone": "b"}, {"app": "cart", "pod": "db-0", "zone": "a"},
    {"app": "cart", "pod": "db-1"}, {"app": "quiet", "pod": "q-0"},
]
SELECTORS = ('{app=~".+"}', '{app="shop"}', '{app="cart"}', '{pod="web-0"}', '{app=~"shop|quiet"}')

# ((START, END), step) in seconds after the first record
RANGES = [((0, 1200), 60), ((300, 900), 30), ((7, 611), 60), ((0, 1200), 400), ((590, 600), 7), ((-600, 1800), 120), ((1100, 1200), 1), ((0.5, 1200.25), 61), ((600, 600), 60), ((1199, 1201), 0.5), ((-7200, -3600), 600),
          ((0, 1200), 3600), ((600, 1200), 1.7)]

QUERIES = [
    # ranges over lines
    'count_over_time({app=~".+"}[1m])', 'rate({app="shop"}[1m])', 'bytes_over_time({app="shop"}[2m])', 'bytes_rate({app=~".+"}[5m])', 'count_over_time({app="shop"} |= "error" [1m])',
    'count_over_time({app="shop"} | json | status >= 500 | __error__="" [5m])', 'rate({app="shop"} |= "status" | json | __error__="" [90s])', 'absent_over_time({app="nix"}[5m])',
    'absent_over_time({app="shop", pod=~"web.*", zone="a"}[5m])', 'absent_over_time({app="quiet"}[1m])', 'count_over_time({app="shop"}[1ms])', 'count_over_time({app=~".+"}[1h])', 'rate({app="shop"}[7s])',
    'count_over_time({app="cart"} | logfmt | drop __error__, __error_details__ [5m])', 'count_over_time({app="shop"} | keep app [2m])', 'count_over_time({app="shop"} | drop pod, zone, trace [2m])',
    'count_over_time({app="shop"} | json | line_format "{{.level}}" [5m])', 'bytes_over_time({app="shop"} | line_format "{{.app}}!" [5m])', 'count_over_time({app="shop"} | trace="t1" [5m])',
    # offsets
    'count_over_time({app="shop"}[1m] offset 5m)', 'rate({app="shop"}[5m] offset 30s)', 'count_over_time({app="shop"}[1m] offset -1m)', 'sum(count_over_time({app="shop"}[1m])) - sum(count_over_time({app="shop"}[1m] offset 2m))',
    # unwrap
    'sum_over_time({app="shop"} | json | unwrap status | __error__="" [5m])', 'avg_over_time({app="shop"} | json | unwrap size | __error__="" [5m])', 'min_over_time({app="shop"} | json | unwrap size | __error__="" [1m]) by (pod)',
    'max_over_time({app="shop"} | json | unwrap size | __error__="" [1m]) by (pod)', 'stddev_over_time({app="shop"} | json | unwrap size | __error__="" [5m]) by (app)', 'stdvar_over_time({app="shop"} | json | unwrap size | __error__="" [5m]) by (app)',
    'quantile_over_time(0.9, {app="shop"} | json | unwrap size | __error__="" [5m]) by (pod)', 'quantile_over_time(0, {app="shop"} | json | unwrap size | __error__="" [5m]) by (pod)', 'quantile_over_time(1.5, {app="shop"} | json | unwrap size | __error__="" [5m]) by (pod)',
    'first_over_time({app="shop"} | json | unwrap size | __error__="" [5m]) by (pod)', 'last_over_time({app="shop"} | json | unwrap size | __error__="" [1m]) by (pod)', 'rate({app="shop"} | json | unwrap size | __error__="" [1m])',
    'rate_counter({app="shop"} | json | unwrap n | __error__="" [5m])', 'sum by (pod) (rate_counter({app="shop"} | json | keep pod, n | unwrap n | __error__="" [5m]))', 'sum_over_time({app="cart"} | logfmt | unwrap duration(took) | __error__="" [5m])',
    'sum_over_time({app="cart"} | logfmt | unwrap duration_seconds(took) | __error__="" [5m])', 'avg_over_time({app="cart"} | logfmt | unwrap bytes(size) | __error__="" [5m]) by (app)', 'absent_over_time({app="shop"} | json | unwrap nope [5m])',
    'sum_over_time({app="shop"} | json | unwrap size | __error__="" | level="error" [5m])', 'avg_over_time({app="shop"} | json | __error__="" | unwrap size [5m]) without (pod, level, n, status, trace)', 'max_over_time({app="shop"} | unwrap weight [5m])',
    'sum(sum_over_time({app="shop"} | json | unwrap size | __error__="" [5m]))', 'sum by (level) (sum_over_time({app="shop"} | json | unwrap size | __error__="" [5m]))',
    # vectors
    'sum(rate({app=~".+"}[1m]))', 'sum by (app) (count_over_time({app=~".+"}[1m]))', 'sum by (zone) (count_over_time({app=~".+"}[1m]))', 'sum without (pod) (count_over_time({app=~".+"}[1m]))', 'sum by (nope) (count_over_time({app=~".+"}[1m]))',
    'avg by (app) (count_over_time({app=~".+"}[1m]))', 'min(count_over_time({app=~".+"}[1m]))', 'max(count_over_time({app=~".+"}[1m]))', 'count(count_over_time({app=~".+"}[1m]))', 'count by (app) (rate({app=~".+"}[1m]))',
    'stddev(count_over_time({app=~".+"}[1m]))', 'stdvar by (app) (count_over_time({app=~".+"}[1m]))', 'sum by (app, level) (count_over_time({app="shop"} | json | __error__="" [5m]))', 'sum by (level) (count_over_time({app="shop"} | json [5m]))',
    'sum(count_over_time({app="shop"} | json [5m]))', 'sum by (trace) (count_over_time({app=~".+"}[5m]))', 'sum by (pod) (avg_over_time({app="shop"} | json | unwrap size | __error__="" [5m]))', 'max by (app) (sum by (app, pod) (rate({app=~".+"}[1m])))',
    'sum(count(count_over_time({app=~".+"}[1m])))', 'sum by (app_extracted) (count_over_time({app="shop"} | json | __error__="" [5m]))', 'topk(1, sum by (status) (count_over_time({app="shop"} | json | __error__="" [20m])))', 'bottomk(1, sum by (app) (bytes_over_time({app=~".+"}[20m])))',
    'topk(10, sum by (pod) (count_over_time({app=~".+"}[5m])))', 'sort(sum by (pod) (bytes_over_time({app=~".+"}[5m])))', 'sort_desc(sum by (pod) (bytes_over_time({app=~".+"}[5m])))', 'sum by () (rate({app=~".+"}[1m]))', 'count without () (count_over_time({app=~".+"}[1m]))',
    # operators
    'sum(rate({app="shop"}[1m])) * 60', '100 * sum(count_over_time({app="shop"} |= "error" [5m])) / sum(count_over_time({app="shop"}[5m]))', 'sum by (pod) (count_over_time({app="shop"}[1m])) > 5', 'sum by (pod) (count_over_time({app="shop"}[1m])) > bool 5',
    '5 < sum by (pod) (count_over_time({app="shop"}[1m]))', 'sum by (pod) (count_over_time({app="shop"}[1m])) == sum by (pod) (count_over_time({app="shop"}[1m]))', 'sum by (pod) (count_over_time({app="shop"}[1m])) >= bool sum by (pod) (count_over_time({app="shop"}[1m] offset 1m))',
    'sum by (app, pod) (count_over_time({app=~".+"}[1m])) / on (app) group_left sum by (app) (count_over_time({app=~".+"}[1m]))', 'sum by (app) (count_over_time({app=~".+"}[1m])) * on (app) group_right sum by (app, pod) (count_over_time({app=~".+"}[1m]))',
    'sum by (app, pod) (count_over_time({app=~".+"}[1m])) - ignoring (pod) group_left (zone) sum by (app, zone) (count_over_time({app="shop", zone="a"}[1m]))', 'sum by (app, pod) (rate({app="shop"}[1m])) and sum by (app, pod) (rate({pod="web-0"}[1m]))',
    'sum by (app, pod) (rate({app="shop"}[1m])) unless sum by (app, pod) (rate({pod="web-0"}[1m]))', 'sum by (app) (rate({app="shop"}[1m])) or sum by (app) (rate({app="cart"}[1m]))', 'sum by (app, pod) (rate({app="shop"}[1m])) or on (app) sum by (app, pod) (rate({app=~".+"}[1m]))',
    'sum by (app, pod) (rate({app="shop"}[1m])) and on (app) sum by (app) (rate({app=~".+"}[1m]))', 'sum(rate({app="nix"}[1m])) or vector(0)', 'vector(3)', 'vector(1) + vector(1)', '1 + 1', '2 * 3 ^ 2', '7 % 4', '1 / 0', 'sum(rate({app="shop"}[1m])) / 0', 'sum(rate({app="shop"}[1m])) % 3',
    'sum(count_over_time({app="shop"}[1m])) ^ 2', '2 ^ sum(count_over_time({app="quiet"}[5m]))', '-1 * sum(count_over_time({app="shop"}[1m]))', 'sum(count_over_time({app="shop"}[1m])) - 1 > 3', 'sum(count_over_time({app="shop"}[1m])) != 0', 'sum(count_over_time({app="shop"}[1m])) <= bool 12',
    'sum(count_over_time({app="shop"}[1m])) > sum(count_over_time({app="cart"}[1m]))', 'vector(5) > bool 3', '(sum(count_over_time({app="shop"}[1m])))',
    # label_replace
    'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "kind", "$1", "pod", "([a-z]+)-.*")', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "kind", "x", "pod", "web")', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "pod", "", "pod", "web-0")',
    'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "k", "${name}!", "pod", "(?P<name>web).*")', 'label_replace(vector(1), "app", "shop", "", "")', 'sum by (kind) (label_replace(sum by (pod) (rate({app=~".+"}[1m])), "kind", "$1", "pod", "([a-z]+)-.*"))',
    # errors are answers, too
    'count_over_time({app="shop"} | json [5m])', 'sum by (zone) (count_over_time({app="shop"} | json | level="error" [5m]))', 'sum_over_time({app="shop"} | json | unwrap status [5m])', 'sum by (pod) (sum_over_time({app="shop"} | json | unwrap level [5m]))',
    'sum by (pod) (count_over_time({app="shop"}[1m])) / on (app) sum by (pod) (count_over_time({app="shop"}[1m]))', 'sum by (app, pod) (rate({app="shop"}[1m])) * on (app) sum by (app, pod) (rate({app="shop"}[1m]))',
    'sum by (app) (rate({app="shop"}[1m])) * on (app) sum by (app, pod) (rate({app="shop"}[1m]))', 'sum by (__error__) (count_over_time({app="shop"} | json [5m]))', 'sum by (level, __error__) (count_over_time({app="shop"} | json [20m]))',
    'count_over_time({app="shop"} | line_format "{{ div 1 0 }}" [5m])', 'count_over_time({app="shop"} | line_format "{{ div 1 0 }}" |= "x" [5m])', 'count_over_time({app="shop"} | json | level > 5 [5m])',
    # windows
    'count_over_time({app="shop"}[1s])', 'count_over_time({app="shop"}[3s] offset 1s)', 'count_over_time({app="shop"}[0s])', 'count_over_time({app="shop"}[1d])', 'sum(count_over_time({app=~".+"}[2h]))', 'sum(rate({app=~".+"}[3h]))', 'sum by (app) (bytes_rate({app=~".+"}[90m]))', 'count_over_time({app="quiet"}[30s])',
    'count_over_time({app="shop"}[1m] offset 1d)', 'count_over_time({app="shop"}[1m] offset -1h)', 'count_over_time({app="shop"}[5m] offset 1ms)', 'count_over_time({app="shop"}[5m] offset -1ms)', 'rate({app="shop"}[5m] offset 90s) - rate({app="shop"}[5m])', 'sum(rate({app="shop"}[1m] offset 5m)) / sum(rate({app="shop"}[1m]))', 'count_over_time({app="shop"}[2m] offset 0s)',
    'count_over_time({app="shop"} | json | __error__="" | status>=500 [1m] offset 30s)', 'count_over_time(({app="shop"} |= "error")[1m])', 'count_over_time({app="shop"}[1m] |= "error")', 'count_over_time({app="shop"}[1m] offset 1m |= "error")', 'sum(count_over_time(({app="shop"})[1m]))', 'rate(({app="shop"}[1m]))',
    # absent
    'absent_over_time({app="shop"}[1s])', 'absent_over_time({app="quiet"}[10s])', 'absent_over_time({app="quiet", pod="q-0"}[1m])', 'absent_over_time({app="quiet", app="quiet"}[1m])', 'absent_over_time({app="nix", zone=""}[1m])', 'absent_over_time({app=~"nix|nope"}[1m])', 'absent_over_time({app="nix", pod!="x"}[1m])', 'absent_over_time({app="nix"} |= "x" | json | status>1 [1m])', 'absent_over_time({app="quiet"} | logfmt | unwrap size [1m])',
    'sum(absent_over_time({app="nix"}[1m]))', 'sum by (app) (absent_over_time({app="nix", zone="a"}[1m]))', 'absent_over_time({app="nix"}[1m]) * 5', 'absent_over_time({app="nix"}[1m]) or vector(2)', 'absent_over_time({app="quiet"}[1m] offset 1m)', 'count(absent_over_time({app="shop"}[1s]))', 'absent_over_time({app="shop"} | json [20m])', 'label_replace(absent_over_time({app="nix"}[1m]), "a", "$1", "app", "(.*)")',
    # unwrap
    'quantile_over_time(0.5, {app="shop"} | json | unwrap size | __error__="" [5m])', 'quantile_over_time(1, {app="shop"} | json | unwrap size | __error__="" [5m]) by (app)', 'quantile_over_time(2, {app="shop"} | json | unwrap size | __error__="" [5m]) by (app)', 'quantile_over_time(0.123456, {app="shop"} | json | unwrap size | __error__="" [1m]) by (pod, level)', 'quantile_over_time(.25, {app="shop"} | unwrap weight [1m]) by ()', 'quantile_over_time(1e-9, {app="shop"} | unwrap weight [20m]) by (app)', 'max(quantile_over_time(0.99, {app="shop"} | json | unwrap size | __error__="" [20m]) by (pod))',
    'avg_over_time({app="shop"} | unwrap weight [1m])', 'avg_over_time({app="shop"} | weight!="" | unwrap weight [1m]) by (app)', 'avg_over_time({app="shop"} | weight!="" | unwrap weight [1m]) by ()', 'avg_over_time({app="shop"} | weight!="" | unwrap weight [1m]) without (trace)', 'avg_over_time({app="shop"} | weight!="" | unwrap weight [1m]) without ()', 'sum_over_time({app="shop"} | unwrap weight [7s])', 'min_over_time({app="shop"} | unwrap weight [1m]) by (nope)', 'max_over_time({app="shop"} | unwrap weight [1m]) by (weight)', 'first_over_time({app="shop"} | unwrap weight [5m]) by (app)', 'last_over_time({app="shop"} | unwrap weight [5m]) without (pod, trace)',
    'sum by (weight) (sum_over_time({app="shop"} | unwrap weight [5m]))', 'sum without (weight) (sum_over_time({app="shop"} | unwrap weight [5m]))', 'sum by (weight) (count_over_time({app="shop"} [5m]))', 'sum_over_time({app="odd"} | unwrap v [5m])', 'sum_over_time({app="odd"} | unwrap v | __error__="" [5m])', 'max_over_time({app="odd"} | unwrap v | v!="" | __error__="" [5m]) by (app)', 'max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [5m])', 'min_over_time({app="odd"} | logfmt | unwrap n | __error__="" [5m]) by (app)', 'quantile_over_time(0.5, {app="odd"} | logfmt | unwrap n | __error__="" [20m]) by (app)', 'stddev_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m]) by (app)',
    'sum(sum_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m]))', 'avg_over_time({app="odd"} | logfmt | __error__="" | n!="" | unwrap n | __error__="" [20m]) without (x)', 'last_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m]) by (app)', 'topk(2, sum_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m]))', 'bottomk(2, max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m])))', 'max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m])) > 0', 'max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m])) == bool max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m]))', 'sort(max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m])))', 'sort_desc(max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m])))', 'min(max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m])))', 'max(max by (k) (max_over_time({app="odd"} | logfmt | unwrap n | __error__="" [20m])))',
    'rate_counter({app="shop"} | json | keep pod, n | unwrap n [1m])', 'rate_counter({app="shop"} | json | keep pod, n | unwrap n | __error__="" [20m])', 'rate_counter({app="odd"} | logfmt | unwrap n | __error__="" [20m])', 'rate({app="cart"} | logfmt | unwrap duration(took) | __error__="" [5m])', 'rate({app="cart"} | logfmt | unwrap bytes(size) | __error__="" [5m])', 'sum by (pod) (sum_over_time({app="cart"} | logfmt | unwrap bytes(size) | __error__="" [5m]))', 'max_over_time({app="cart"} | logfmt | unwrap duration(took) [5m])', 'max_over_time({app="cart"} | logfmt | unwrap bytes(took) [5m])', 'max_over_time({app="shop"} | json | unwrap level [5m])', 'sum_over_time({app="shop"} | unwrap pod [5m])',
    'sum_over_time({app="shop"} | json | unwrap size | size > 100 | __error__="" [5m])', 'sum_over_time({app="shop"} | json | unwrap size | __error__="" | level="error" or level="warn" [5m])', 'sum_over_time({app="shop"} | json | unwrap size | level="error" [5m])', 'sum_over_time({app="shop"} | json size="size" | unwrap size | __error__="" [5m])', 'sum_over_time({app="shop"} | regexp `"size": (?P<s>[0-9.]+)` | unwrap s [5m])', 'sum_over_time({app="cart"} | pattern `level=<_> status=<s> <_>` | unwrap s | __error__="" [5m])', 'sum_over_time({app="shop"} | json | label_format s="{{ mul .status 2 }}" | unwrap s | __error__="" [5m])', 'sum_over_time({app="shop"} | label_format w=weight | unwrap w [5m])', 'sum_over_time({app="shop"} | json | unwrap app_extracted [5m])',
    # vectors
    'topk by (app) (1, sum by (app, pod) (count_over_time({app=~".+"}[20m])))', 'topk(1, sum by (app, pod) (bytes_over_time({app=~".+"}[20m]))) by (app)', 'bottomk without (pod) (1, sum by (app, pod) (bytes_over_time({app=~".+"}[20m])))', 'topk(3, sum by (pod) (bytes_over_time({app=~".+"}[20m])))', 'topk(1, vector(1))', 'topk(100, count_over_time({app="quiet"}[20m]))', 'sum(topk(2, sum by (pod) (bytes_over_time({app=~".+"}[20m]))))', 'topk(1, sum by (pod) (bytes_over_time({app=~".+"}[20m]))) / 2', 'sort(topk(2, sum by (pod) (bytes_over_time({app=~".+"}[20m]))))', 'sort_desc(sum by (pod) (bytes_over_time({app=~".+"}[20m])) > 1000)', 'sort(sum by (app, zone) (bytes_over_time({app=~".+"}[20m])))', 'topk(2, sum by (app) (rate({app="nix"}[5m])))',
    'sum by (app, pod, zone) (count_over_time({app=~".+"}[1m]))', 'sum without () (count_over_time({app=~".+"}[1m]))', 'sum without (app, pod, zone, trace, weight) (count_over_time({app=~".+"}[1m]))', 'sum by (trace, weight) (count_over_time({app="shop"}[5m]))', 'count by (zone) (sum by (zone, pod) (count_over_time({app=~".+"}[1m])))', 'stddev by (zone) (sum by (zone, pod) (bytes_over_time({app=~".+"}[1m])))', 'stdvar(sum by (pod) (bytes_over_time({app=~".+"}[1m])))', 'avg without (pod) (sum by (app, pod) (bytes_over_time({app=~".+"}[1m])))', 'min by (app) (rate({app=~".+"}[5m]))', 'max without (trace, weight) (rate({app=~".+"}[5m]))', 'avg(vector(3))', 'count(vector(3))', 'stddev(vector(3))', 'sum(vector(3)) by (x)', 'sum(sum(sum(rate({app="shop"}[1m]))))', 'avg by (app) (avg by (app, pod) (avg_over_time({app="shop"} | unwrap weight [5m])))', 'sum by (status) (count_over_time({app="shop"} | json | __error__="" | status >= 400 [5m]))', 'sum by (level, level) (count_over_time({app="shop"} | json [5m]))', 'sum by (__error__) (count_over_time({app="cart"} | logfmt | took > 1s [5m]))', 'sum(count_over_time({app="shop"} | json | __error__!="" [20m]))', 'sum by (__error_details__) (count_over_time({app="shop"} | json | __error__!="" [20m]))', 'count_over_time({app="shop"} | json | __error__!="" [20m])', 'sum(count_over_time({app="shop"} | json | drop __error__ [20m]))', 'count_over_time({app="shop"} | json | keep level [20m])', 'sum by (kind) (count_over_time({app="shop"} | json | label_format kind="{{.level | upper}}" [5m]))', 'sum by (app) (bytes_over_time({app="cart"} | line_format "{{.pod}}" [5m]))', 'sum by (pod) (count_over_time({app="shop"} | json | level="error" | status="500" [5m]))', 'sum(count_over_time({app="shop"} | unpack [5m]))', 'sum by (level) (rate({app=~"shop|cart"} | json | logfmt | drop __error__ [5m]))',
    # operators
    'vector(1) > 2', 'vector(1) < bool 2', '1 > 2', '1 < 2', '1 == bool 1', '2 ^ 3 ^ 2', '-2 ^ 2', '10 - 2 - 3', '2 * 3 % 4', '1 + 2 * 3 - 4 / 2', '(1 + 2) * 3', '0 / 0', '1 % 0', '5 % -3', '-5 % 3', '2 ^ 0.5', '1e300 * 1e300', '-1e300 * 1e300', '.5 + .25', '1 - -1', '+5', '-5', 'vector(0) * -1', 'vector(1) / vector(0)', 'vector(0) / vector(0)', 'vector(1) % vector(0)', 'vector(2) ^ vector(10)', 'vector(1) == vector(1)', 'vector(1) == vector(2)', 'vector(1) == bool vector(2)', 'vector(1) and vector(2)', 'vector(1) or vector(2)', 'vector(1) unless vector(2)', 'vector(1) - 1 or vector(5)',
    'sum(rate({app="nix"}[1m])) + 1', 'sum(rate({app="nix"}[1m])) + sum(rate({app="shop"}[1m]))', 'sum(rate({app="shop"}[1m])) or sum(rate({app="nix"}[1m]))', 'sum(rate({app="nix"}[1m])) or sum(rate({app="nope"}[1m]))', 'sum(rate({app="shop"}[1m])) unless sum(rate({app="nix"}[1m]))', 'sum(rate({app="shop"}[1m])) and sum(rate({app="nix"}[1m]))', 'sum by (app) (rate({app=~".+"}[1m])) or on () vector(1)', 'vector(1) or on () sum by (app) (rate({app=~".+"}[1m]))', 'sum by (app) (rate({app=~".+"}[1m])) and on () vector(1)', 'sum by (app) (rate({app=~".+"}[1m])) unless on (app) sum by (app) (rate({app="shop"}[1m]))', 'sum by (app) (rate({app=~".+"}[1m])) and ignoring (app) sum(rate({app="shop"}[1m]))', 'sum by (app) (count_over_time({app=~".+"}[1m])) * ignoring (app) group_left sum(count_over_time({app="shop"}[1m]))', 'sum by (app) (count_over_time({app=~".+"}[1m])) * on () group_left sum(count_over_time({app="shop"}[1m]))', 'sum by (app, pod) (count_over_time({app=~".+"}[1m])) * on (app) group_left () sum by (app) (count_over_time({app=~".+"}[1m]))', 'sum(count_over_time({app="shop"}[1m])) / on () group_right sum by (pod) (count_over_time({app="shop"}[1m]))', 'sum by (app, pod) (count_over_time({app=~".+"}[5m])) * on (pod) group_left (zone) sum by (pod, zone) (count_over_time({app=~".+"}[5m]))', 'sum by (pod, zone) (count_over_time({app=~".+"}[5m])) * on (pod) group_right (zone) sum by (app, pod) (count_over_time({app=~".+"}[5m]))', 'sum by (app, pod) (count_over_time({app=~".+"}[5m])) > on (pod) group_left (app) sum by (pod) (count_over_time({app=~".+"}[5m]))', 'sum by (app, pod) (count_over_time({app=~".+"}[5m])) >= bool on (app) group_left sum by (app) (count_over_time({app=~".+"}[1m]))', 'sum by (app) (count_over_time({app=~".+"}[5m])) < on (app) group_right sum by (app, pod) (count_over_time({app=~".+"}[5m]))',
    'sum by (pod) (count_over_time({app="shop"}[1m])) > on (pod) sum by (pod) (count_over_time({app="shop"}[1m] offset 1m))', 'sum by (pod) (count_over_time({app="shop"}[1m])) != sum by (pod) (count_over_time({app="shop"}[1m] offset 1m))', 'sum by (pod) (count_over_time({app="shop"}[1m])) == ignoring (pod) sum(count_over_time({pod="web-0"}[1m]))', 'sum by (app, zone) (count_over_time({app=~".+"}[5m])) + on (app) group_left sum by (app) (count_over_time({app=~".+"}[5m]))', 'sum by (app) (count_over_time({app=~".+"}[1m])) / on (app, zone) sum by (app) (count_over_time({app=~".+"}[5m]))', 'count_over_time({app="shop"}[1m]) * on (pod) group_left sum by (pod) (count_over_time({app="shop"}[1m]))', 'sum by (app, pod) (rate({app="shop"}[1m])) or sum by (app, pod) (rate({app="cart"}[1m])) or vector(0)', 'sum by (app) (rate({app="shop"}[1m])) and sum by (app) (rate({app=~".+"}[1m])) or sum by (app) (rate({app="cart"}[1m])) unless sum by (app) (rate({app="nix"}[1m]))', '(sum by (app) (rate({app="shop"}[1m])) or sum by (app) (rate({app="cart"}[1m]))) * 60', 'sum(rate({app="shop"}[1m])) > 0.05 < 0.2', 'sum(rate({app="shop"}[1m])) > bool 0.05 + 1', '0.1 > bool sum(rate({app="shop"}[1m]))', '1 == sum(count_over_time({app="quiet"}[1m]))', '1 - sum(rate({app="shop"} |= "error" [5m])) / sum(rate({app="shop"}[5m]))', 'sum by (pod) (rate({app="shop"} |= "error" [5m])) / on (pod) sum by (pod) (rate({app="shop"}[5m])) * 100', 'sum(count_over_time({app="shop"}[1m])) * on () sum(count_over_time({app="cart"}[1m]))', '2 ^ (sum(count_over_time({app="quiet"}[20m])) - 3)', 'sum(count_over_time({app="shop"}[1m])) % 7 == 0',
    # label_replace
    'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "pod", "$1", "pod", "([a-z]+)-.*")', 'sum by (pod) (label_replace(sum by (pod) (rate({app=~".+"}[1m])), "pod", "$1", "pod", "([a-z]+)-.*"))', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "x", "$2", "pod", "([a-z]+)-.*")', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "x", "$$1", "pod", "([a-z]+)-.*")', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "x", "${1}s", "pod", "([a-z]+)-.*")', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "x", "$1s", "pod", "([a-z]+)-.*")', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "x", "y", "nope", "")', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "x", "y", "nope", ".+")', 'label_replace(label_replace(vector(1), "a", "b", "", ""), "c", "$1", "a", "(.*)")', 'label_replace(rate({app="shop"}[1m]), "pod", "", "", "")', 'label_replace(sum by (app) (rate({app="shop"}[1m])), "app", "cart", "app", "shop") + on (app) sum by (app) (rate({app="cart"}[1m]))', 'label_replace(sum by (pod) (rate({app=~".+"}[1m])), "x", "$0", "pod", "web-.")',
    # errors are answers, too
    'sum by (app, pod) (rate({app="shop"}[1m])) * on (app) group_left sum by (app, pod) (rate({app="shop"}[1m]))', 'sum by (app, pod) (rate({app="shop"}[1m])) * on (app) group_right sum by (app, pod) (rate({app="shop"}[1m]))', 'sum by (app, pod) (rate({app="shop"}[1m])) * ignoring (pod) group_left (pod) sum by (app) (rate({app="shop"}[1m]))', 'sum by (app) (count_over_time({app="cart"} | json | status > 1 [5m]))', 'avg_over_time({app="cart"} | logfmt | unwrap duration(level) [5m])', 'avg_over_time({app="cart"} | logfmt | unwrap bytes(level) [5m])', 'count_over_time({app="cart"} | logfmt | took > 1s [5m])', 'sum(count_over_time({app="shop"} | line_format "{{ div 1 0 }}" | json [5m]))', 'sum(count_over_time({app="shop"} | label_format x="{{ div 1 0 }}" [5m]))', 'sum by (x) (count_over_time({app="shop"} | label_format x="{{ div 1 0 }}" [5m]))',
    'rate({app="shop"}[5m]) and on (app) group_left rate({app="shop"}[5m])', 'label_replace(1, "a", "b", "c", "d")', 'label_replace(rate({app="shop"}[5m]), "1a", "b", "c", ".*")', 'label_replace(rate({app="shop"}[5m]), "", "b", "c", ".*")', 'topk(1, 5)', 'sum(5)', 'stddev(5)', 'avg(5)', 'count by (app) (5)', '1 + sum(5)', 'sum(max(5))', 'sum(1 + 1)',
]

# Asked at one point of time, too, where they differ.
INSTANT = [
    '1', '017', '1_000', '-1.5', '1 + 1', 'vector(1)', 'vector(1e100)', '1e21', '0.1 + 0.2', '0 / 0', '1e300 * 1e300', '123456789012345678', '1e-7', 'sum(count_over_time({app="shop"}[3h]))', 'sum by (app) (rate({app=~".+"}[2h]))', 'sum(bytes_over_time({app=~".+"}[90m]))', 'count_over_time({app="shop"}[2h] offset 1m)', 'max by (app) (max_over_time({app="shop"} | unwrap weight [2h]))', 'avg(avg_over_time({app="shop"} | unwrap weight [2h]))', 'sum(sum_over_time({app="shop"} | unwrap weight [2h])) by (app)',
    'sort(sum by (pod) (bytes_over_time({app=~".+"}[20m])))', 'sort_desc(sum by (pod) (bytes_over_time({app=~".+"}[20m])))', 'sort(sum by (app) (count_over_time({app=~".+"}[20m])) > 10)', 'sort_desc(topk(2, sum by (pod) (bytes_over_time({app=~".+"}[20m]))))', 'topk(1, sum by (pod) (bytes_over_time({app=~".+"}[20m])))', 'sum(rate({app="nix"}[1m]))', 'absent_over_time({app="nix"}[1m])', 'count_over_time({app="quiet"}[1m])',
]

# What Loki refuses.
# Over a spool the selector may be left out: weir answers these.
WITHOUT_SELECTOR = {"rate({}[5m])", 'rate({app=~".*"}[5m])'}
REFUSED = [
    'rate({app="shop"})', 'sum(rate({app="shop"}[1m])', 'rate({app="shop"}[1x])', 'foo({app="shop"}[1m])', 'sum_over_time({app="shop"}[1m])', 'count_over_time({app="shop"} | unwrap x [1m])', 'sum by (count_over_time({app="shop"}[1m]))',
    'topk(0, rate({app="shop"}[1m]))', 'topk(rate({app="shop"}[1m]))', 'quantile_over_time({app="shop"} | unwrap x [1m])', 'rate({app="shop"}[1m]) by (pod)', 'sort(rate({app="shop"}[1m])) by (pod)', '1 and 2', 'sum(rate({app="shop"}[1m])) and 1',
    'label_replace(rate({app="shop"}[1m]), "a", "b", "c", "(")', 'rate({app="shop"}[1m]) + {app="shop"}', 'sum({app="shop"})', 'vector(a)', 'vector("1")', 'count_over_time({app="shop"}[1m]', 'sum by pod (rate({app="shop"}[1m]))',
    'rate({app="shop"}[])', 'rate({app="shop"}[5])', 'rate({app="shop"}[5minutes])', 'rate({app="shop"}[1.5h])', 'rate({app="shop"}[-5m])', 'rate({app="shop"}[5m)', 'rate({app="shop"}[ 5m ])', 'rate({app="shop"}[5m 30s])', 'rate({app="shop"}[30s5m])', 'rate({app="shop"}[5m:1m])', 'rate({app="shop"}[5m] offset)', 'rate({app="shop"}[5m] offset 5)', 'rate({app="shop"}[5m]) offset 5m', 'rate({app="shop"} offset 5m [5m])', 'rate({app="shop"}[5m] @ 5)', 'rate()', 'rate', 'rate(shop[5m])', 'rate("shop"[5m])', 'rate(5)', 'rate({}[5m])', 'rate({app=~".*"}[5m])', 'rate(rate({app="shop"}[5m])[5m])',
    'sum', 'sum()', 'sum by (app)', 'sum by (app) rate({app="shop"}[5m])', 'sum by app (rate({app="shop"}[5m]))', 'sum(rate({app="shop"}[5m])) by app', 'sum by (app) (rate({app="shop"}[5m])) by (pod)', 'sum by ("app") (rate({app="shop"}[5m]))', 'sum by (app,) (rate({app="shop"}[5m]))', 'sum by (app pod) (rate({app="shop"}[5m]))', 'sum without app (rate({app="shop"}[5m]))', 'sum(rate({app="shop"}[5m]), 1)', 'sum(1, rate({app="shop"}[5m]))', 'topk({app="shop"}[5m])', 'topk(1.5, rate({app="shop"}[5m]))', 'topk(-1, rate({app="shop"}[5m]))', 'topk("1", rate({app="shop"}[5m]))', 'topk(rate({app="shop"}[5m]), 1)', 'topk(1 rate({app="shop"}[5m]))', 'topk(99999999999999999999, rate({app="shop"}[5m]))', 'bottomk(0, rate({app="shop"}[5m]))', 'sort by (app) (rate({app="shop"}[5m]))', 'sort_desc(rate({app="shop"}[5m])) without (app)', 'sort(1, rate({app="shop"}[5m]))',
    'count_values("x", rate({app="shop"}[5m]))', 'quantile(0.9, rate({app="shop"}[5m]))', 'group(rate({app="shop"}[5m]))', 'irate({app="shop"}[5m])', 'increase({app="shop"}[5m])', 'delta({app="shop"}[5m])', 'histogram_quantile(0.9, rate({app="shop"}[5m]))', 'abs(rate({app="shop"}[5m]))', 'round(rate({app="shop"}[5m]))', 'time()', 'absent({app="shop"})', 'changes({app="shop"}[5m])', 'clamp_max(rate({app="shop"}[5m]), 1)', 'rate(http_requests_total[5m])', 'http_requests_total', 'sum(http_requests_total{app="shop"})', 'sum(http_requests_total{app="shop"}) by (x)',
    'quantile_over_time({app="shop"} | unwrap x [5m])', 'quantile_over_time(0.9 {app="shop"} | unwrap x [5m])', 'quantile_over_time("0.9", {app="shop"} | unwrap x [5m])', 'quantile_over_time(0.9, {app="shop"}[5m])', 'avg_over_time({app="shop"}[5m])', 'avg_over_time(0.5, {app="shop"} | unwrap x [5m])', 'rate_counter({app="shop"}[5m])', 'bytes_over_time({app="shop"} | unwrap x [5m])', 'sum_over_time({app="shop"} | unwrap x [5m]) by (app)', 'rate({app="shop"} | unwrap x [5m]) by (app)', 'absent_over_time({app="shop"}[5m]) by (app)', 'count_over_time({app="shop"}[5m]) without (app)', 'sum_over_time({app="shop"} | unwrap [5m])', 'sum_over_time({app="shop"} | unwrap "x" [5m])', 'sum_over_time({app="shop"} | unwrap x y [5m])', 'sum_over_time({app="shop"} | unwrap duration x [5m])', 'sum_over_time({app="shop"} | unwrap seconds(x) [5m])', 'sum_over_time({app="shop"} | unwrap x | json [5m])', 'sum_over_time({app="shop"} | unwrap x |= "y" [5m])', 'sum_over_time({app="shop"} | unwrap x)', 'sum_over_time({app="shop"} | unwrap x [5m] | json)', 'sum_over_time({app="shop"} unwrap x [5m])', 'last_over_time({app="shop"} | unwrap x | unwrap y [5m])', 'sum_over_time({app="shop"} | json | unwrap duration(x [5m])',
    '1 +', '+ 1 +', '* 1', '1 or 2', '1 unless vector(1)', 'vector(1) and 2', '1 and vector(1)', 'rate({app="shop"}[5m]) == "x"', 'rate({app="shop"}[5m]) = 1', 'rate({app="shop"}[5m]) =~ 1', 'rate({app="shop"}[5m]) && rate({app="shop"}[5m])', 'rate({app="shop"}[5m]) > bool', 'rate({app="shop"}[5m]) bool > 1', 'rate({app="shop"}[5m]) + on app rate({app="shop"}[5m])', 'rate({app="shop"}[5m]) + group_left rate({app="shop"}[5m])', 'rate({app="shop"}[5m]) + on (app) group_left zone rate({app="shop"}[5m])', 'rate({app="shop"}[5m]) rate({app="shop"}[5m])', '{app="shop"} > 5', '{app="shop"} + 1', '1 + {app="shop"}', 'rate({app="shop"}[5m]) | json', 'rate({app="shop"}[5m]) |= "x"', '-rate({app="shop"}[5m])', '-(1)', '!vector(1)', '(1', '1)', '()', '1 2', '5m', '5KB', '"x"', '0x10', '0b11', '0o17', '08', '1__0', '1e', '1e400', 'Inf', 'NaN', 'inf + 1', 'vector()', 'vector(1, 2)', 'vector(-1)', 'vector(vector(1))', 'vector(x)', 'scalar(vector(1))', 'vector',
    'label_replace(rate({app="shop"}[5m]))', 'label_replace(rate({app="shop"}[5m]), "a", "b", "c")', 'label_replace(rate({app="shop"}[5m]), a, "b", "c", "d")', 'label_replace({app="shop"}, "a", "b", "c", "d")', 'label_replace(rate({app="shop"}[5m]), "a", "b", "c", "*")', 'label_replace(rate({app="shop"}[5m]), "a", "b", "c", "(?P<x")', 'label_replace(rate({app="shop"}[5m]), "a", "b", "c", "\\d")', 'label_join(rate({app="shop"}[5m]), "a", "b", "c")', 'label_replace(rate({app="shop"}[5m]), "a", "b", "c", "d", "e")',
    'variants(rate({app="shop"}[5m]))', 'variants() of ({app="shop"}[5m])', 'approx_topk(1, rate({app="shop"}[5m])) by (app)', 'approx_topk(rate({app="shop"}[5m]))',
]


class Generator:
    """Random metric queries out of what records() holds."""

    labels = ("app", "pod", "zone", "level", "status", "trace", "nope")

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, choices):
        return self.random.choice(choices)

    def grouping(self, chance=0.7):
        if self.random.random() > chance:
            return ""
        return f" {self.one(('by', 'by', 'without'))} ({', '.join(self.random.sample(self.labels, self.random.randint(0, 3)))}) "

    def pipeline(self, unwraps):
        stages = []
        if self.random.random() < 0.3:
            stages.append(self.one(('|= "error"', '!= "slow"', '|~ "5[0-9]+"', '|= "status"')))
        if unwraps or self.random.random() < 0.5:
            stages.append(self.one(("| json", "| logfmt", '| json status, size="size", level', '| regexp "(?P<size>[0-9]+)"', "| json | logfmt")))
            if self.random.random() < 0.3:
                stages.append(self.one(('| level="error"', "| status >= 300", "| size > 10", '| level!=""', "| drop level", "| keep app, pod, size, status, n", '| label_format kind="{{.level}}"')))
            if not unwraps or self.random.random() < 0.5:
                stages.append('| __error__=""')
        if unwraps:
            stages.append("| unwrap " + self.one(("size", "status", "n", "weight", "duration(took)", "bytes(size)")))
            if self.random.random() < 0.8:
                stages.append('| __error__=""')
        return " ".join(stages)

    def range(self):
        unwraps = self.random.random() < 0.5
        function = self.one(("sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "first_over_time", "last_over_time", "stddev_over_time", "stdvar_over_time", "rate", "rate_counter", "quantile_over_time")
                            if unwraps else ("count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"))
        pipeline = self.pipeline(unwraps)
        if function == "avg_over_time" and pipeline.endswith('__error__=""'):
            function = "max_over_time"
        grouped = self.grouping(0.4) if unwraps and function not in ("sum_over_time", "rate", "rate_counter") else ""
        parameter = self.one(("0.5, ", "0.99, ", "0, ", "1, ")) if function == "quantile_over_time" else ""
        offset = self.one(("", "", "", " offset 1m", " offset 90s", " offset -30s"))
        return f"{function}({parameter}{self.one(SELECTORS)} {pipeline} [{self.one(('1m', '5m', '90s', '30s', '1s', '20m', '7s'))}]{offset}){grouped}"

    def vector(self, depth=0):
        kind = self.random.random()
        if depth >= 3 or kind < 0.25:
            return self.range()
        if kind < 0.7:
            function = self.one(("sum", "sum", "sum", "avg", "min", "max", "count", "stddev", "stdvar"))
            return f"{function}{self.grouping()}({self.vector(depth + 1)})"
        if kind < 0.85:
            op = self.one(("+", "-", "*", "/", "%", "^", ">", "<", ">=", "<=", "==", "!="))
            boolean = self.one(("", " bool")) if op in (">", "<", ">=", "<=", "==", "!=") else ""
            number = self.one(("2", "0", "1.5", "100", "-3"))
            vector = self.vector(depth + 1)
            return f"({vector} {op}{boolean} {number})" if self.random.random() < 0.6 else f"({number} {op}{boolean} {vector})"
        op = self.one(("+", "-", "*", "/", ">", "==", "and", "or", "unless"))
        labels = ", ".join(self.random.sample(self.labels[:4], self.random.randint(0, 2)))
        matching = self.one(("", "", f" on ({labels})", f" ignoring ({labels})"))
        group = self.one(("", "", " group_left", " group_right")) if matching and op not in ("and", "or", "unless") else ""
        return f"({self.vector(depth + 1)} {op}{matching}{group} {self.vector(depth + 1)})"


def records(first):
    """(labels, ns, line, metadata) of twenty minutes from `first` on."""
    chooser = random.Random(11)
    rows, counter = [], collections.Counter()
    for i in range(900):
        labels = chooser.choice(STREAMS if i % 40 == 0 else STREAMS[:4])
        counter[labels["pod"]] += chooser.randint(0, 9)
        if chooser.random() < 0.02:
            counter[labels["pod"]] = 0
        level = chooser.choice(("error", "info", "warn"))
        fields = {"level": level, "status": chooser.choice((200, 200, 200, 404, 500, 503)), "size": chooser.randint(1, 4000), "n": counter[labels["pod"]]}
        if labels["app"] == "shop":
            line = chooser.choice((json.dumps(fields), json.dumps(dict(fields, app="inner", size=chooser.random() * 100)), json.dumps(fields)[:-9] if i % 90 == 0 else json.dumps(fields)))
        else:
            fields["took"] = chooser.choice(("1.5s", "90ms", "2m", "soon" if i % 70 == 0 else "1h3m"))
            fields["size"] = f"{fields['size']}{chooser.choice(('B', 'KB', 'KiB'))}"
            line = " ".join(f"{k}={v}" for k, v in fields.items()) + (" slow" if i % 3 == 0 else "")
        metadata = chooser.choice(({}, {"trace": f"t{chooser.randint(0, 4)}"}, {"trace": "t1", "weight": str(chooser.randint(1, 50))}))
        # Some times lie on the points at which queries are evaluated.
        rows.append((labels, first + (i * 4 // 3) * SECOND + chooser.choice((0, 0, 1, 500_000_000, 123_456_789)) + i // 4 * 0, line, metadata))
    # Numbers that are none, or hardly.
    for i, value in enumerate(("NaN", "+Inf", "-Inf", "1e308", "1.5e308", "-1e308", "0", "-0", "5e-324", "0x1p4", "1_000", "7", "x", "", "3")):
        rows.append(({"app": "odd"}, first + (i * 61 + 30) * SECOND + 7, f"k=k{i % 4} n={value}", {"v": value} if value else {}))
    return rows
