"""Records and log queries for logql_test.py: tables of ours, and a generator."""
import json
import random

LINES = [
    '{"level":"error","msg":"boom","status":500,"took":"1.5s","size":"10KB","ip":"10.0.0.1","a":{"b":{"c":1},"d":[1,{"e":"x"}]}}',
    '{"level":"info","msg":"fine","status":"200","took":"250ms","size":"1.5KiB","ip":"192.168.4.7","user id":7,"9x":true}',
    '{"level":"warn","status":"4o4","took":"1d","size":"12 parsecs","ip":"none","msg":null,"lvl":"w","app":"inner","tid":"inner"}',
    '{"a":"1","a":"2","b":"","c":"caf\\u00e9 \\ud83d\\ude00","d":"tab\\there","e":1e3,"f":-0.0,"__error__x":"y"}',
    '{"cut off":"yes","level":"error","status":1', '{"level":"error"} trailing', '[1,2,{"level":"x"}]', '"text"', '{', '{}', '',
    '{"_entry":"the packed line","app":"shop","level":"error","n":5}', '{"_entry":"","k":"1","k":"2"}', '{"x":["q\\"uote",2],"x":{"y":3}}',
    'level=error msg="it broke" status=500 took=1.5s size=10KB ip=10.0.0.1 user=bob', 'level=info status=200 took=90ms empty= flag "quoted key"=1',
    'msg="it\\\'s" level=info', 'pair="\\ud83d\\ude00" msg="\\ud800" user="\\udc00x" a="\\ud800\\u0041" b="\\ud800\\ud83d\\ude00"', 'msg="\\x41" a="\\ud8" k="tab\there \\n"',
    'level=warn msg="unterminated', 'a=1 a=2 app=logfmt tid=logfmt b="\\u00e9\\n"', '= =x ="y" k==v', 'ünï=cödé 9x=1 a.b=c',
    '10.0.0.5 - alice [2026-01-01] "GET /api/v1/users HTTP/1.1" 200 1234', '192.168.4.7 - - [2026-01-01] "POST /login HTTP/1.1" 503 9',
    'fe80::1 said hello', 'addresses ::1', '1.2.3.4.5 and 1.2.3.4', 'ERROR: something failed', 'Error', 'an error', 'warning ahead', 'INFO',
    '\x1b[31merror\x1b[0m in colour', 'foo bar baz', 'foo <_> baz', 'x', 'K', 'straße STRASSE', '  blanks  ', 'line\nof two', 'tab\there', '😀 ünïcode',
    '/api/v1/users?id=5', 'back\\slash', '"quotes" and `ticks`', 'x' * 3000,
    # What is broken in one way or another.
    '{"__error__":"of json","level":"info"}', '{"_error_details_":"d","level":"info","app_extracted":"e"}', '{"":"nobody","level":"empty key"," ":"blank","\\u0020":"escaped blank"}',
    '{"a":{"":"x","b":{"":"y"}},"":{"c":"z"}}', '{"k\\u0041":"1","level":"escaped key"}', '{"bad\\x":"2","level":"bad key"}', '{"ok":1,"bad\\u12":"3","level":"z"}',
    '{"level":"x" "status":500}', '{"level":"x","status":tru}', '{"level":"x","status":5 00,"msg":"m"}', '{"a":[1,2,{"level":"deep"}],"level":"top"', '{"a":"unclosed', '{"a":1,,"level":"x"}',
    '{"level":\'x\'}', '{"a":{"b":1,"level":"cut"', '"level":"no brace"', '{"x" : {"y" : [ 1 , "two" ] } , "level" : null , "status" : "" }', '{"a-b":1,"a_b":2,"a b":3,"a.b":4,"level":"same"}',
    '{"a":{"b":1},"a_b":2,"level":"same"}', '{"level":"\\ud800","msg":"\\ud83dx","user":"\\q"}', '{"\u00a0level\u00a0":"nbsp","\u2028status":1,"size":"5\u00a0MB"}',
    'a="x\\qy" level=info status=1', 'a="open level=info', 'a=x"y level=info', 'level=info a="x"y status=2', 'level=info =v status=3', 'a="" level= b', 'level="\\ud83d" status="\\u12" a=1',
    '\u00a0level\u00a0=nbsp a\u2028b=1 status=4', '__error__=x level=info', 'n=0x10 b=0b11 o=0o17 u=1_000 e=1_E09 inf=Inf nan=NaN', 'took=5\u03bcs status=0x1F', 'took=5\u00b5s status=1e400',
    'took=1h30m status=.5', 'took=-5s status=-1', 'took=5 status=+7', 'took=1.5.2s status=1e', 'size=0x10KB status=1_0', 'size=1,000KB took=', 'size=5\u00a0MB', 'size=1e3 took=1e3s', 'size=99999999EB took=99999999h',
    'size=12ZB took=1y', 'ip=10.0.0.1:8080 level=x', 'ip=[::1]:80', 'ip=10.0.0.300', '{"ip":"10.0.0.1, 10.1.1.1"}',
]
LABELS = [{"app": "x"}, {"app": "shop", "pod": "web-0"}, {"app": "shop", "pod": "web-1", "lvl": "L"}, {"app": "a|b", "level": "stream", "status": "7"}]
METADATA = [{}, {"tid": "T1"}, {"tid": "T2", "level": "meta", "took": "3s"}, {"app": "meta", "user": "carol", "size": "5 MB"}]
# What few write, but somebody will.
ODD_METADATA = [{"__error__": "mine"}, {"app": "one", "app_extracted": "two"}, {"app_extracted": "two"}, {"a.b": "1", "a_b": "2"}, {"level": "", "tid": "T3"}]

# Every form of stage; what is special about a query stands in it.
QUERIES = [
    '{app=~".+"}', '{app="shop"}', '{app="shop", pod!="web-0"}', '{app=~"x|shop", pod!~"web-1"}', '{app!="x", app!=""}', '{app=~"(?i)SHOP"}', '{app=~"sh"}', '{app="a|b"}',
    '{app=~".+", pod=""}', '{app=~".+"} # a comment', '{app=~".+"} |= "error"', '{app=~".+"} |= "error" != "boom"', '{app=~".+"} |= "boom" or "fine"',
    '{app=~".+"} != "error" or "info"', '{app=~".+"} |~ "(?i)error"', '{app=~".+"} |~ "err|warn"', '{app=~".+"} !~ "^x"', '{app=~".+"} |~ "^$"', '{app=~".+"} |~ "two$"',
    '{app=~".+"} |~ "line.of"', '{app=~".+"} |~ "(?s)line.of"', '{app=~".+"} |= "" or "x"', '{app=~".+"} |~ ".*" or "boom"', '{app=~".+"} |~ "(?i)straße"', '{app=~".+"} |~ "(?i)k"',
    '{app=~".+"} |> "foo <_> baz"', '{app=~".+"} !> "<_>error<_>"', '{app=~".+"} |> "<_>"', '{app=~".+"} |= ip("10.0.0.0/8")', '{app=~".+"} != ip("1.2.3.4")',
    '{app=~".+"} |= ip("192.168.4.5-192.168.4.20")', '{app=~".+"} |= ip("::1")', '{app=~".+"} |= ip("fe80::/10")', '{app=~".+"} |= ip("10.0.0.1") or "x"',
    '{app=~".+"} |= "x" or ip("10.0.0.1")', '{app=~".+"} | tid="T1"', '{app=~".+"} | tid=""', '{app=~".+"} | tid=~"T."', '{app=~".+"} | app_extracted="meta"', '{app=~".+"} | level="stream"',
    '{app=~".+"} | status > 5', '{app=~".+"} | took >= 3s', '{app=~".+"} | size > 1MB', '{app=~".+"} | json', '{app=~".+"} | json | level="error"',
    '{app=~".+"} | json | status >= 500', '{app=~".+"} | json | status >= 500 | __error__=""', '{app=~".+"} | json | __error__="JSONParserErr"', '{app=~".+"} | json | __error__=~".+"',
    '{app=~".+"} | json | took > 300ms', '{app=~".+"} | json | took > 1s or size < 1KB', '{app=~".+"} | json | size >= 1KiB', '{app=~".+"} | json | size <= 1.2MiB',
    '{app=~".+"} | json | ip=ip("10.0.0.0/8")', '{app=~".+"} | json | ip!=ip("10.0.0.0/8")', '{app=~".+"} | json | (status=500 or status=200), level=~"e.*|info"',
    '{app=~".+"} | json | status=500 and level="error" or msg="fine"', '{app=~".+"} | json | level=~"err|error"', '{app=~".+"} | json | level=~"e.*"', '{app=~".+"} | json | level!~"warn|warning"',
    '{app=~".+"} | json | a_b_c=1', '{app=~".+"} | json x="a.b.c", y="a.d[1].e", z="[\\"user id\\"]"', '{app=~".+"} | json x="x.y", q="x"', '{app=~".+"} | json level, nope', '{app=~".+"} | json app, tid',
    '{app=~".+"} | json a="_entry", a2="a[0]"', '{app=~".+"} | json | json level="zz"', '{app=~".+"} | drop app | json app="zz"', '{app=~".+"} | lvl="" | json',
    '{app=~".+"} | json | label_format level="{{.level | upper}}" | level="ERROR"', '{app=~".+"} | logfmt', '{app=~".+"} | logfmt --strict', '{app=~".+"} | logfmt --keep-empty',
    '{app=~".+"} | logfmt --strict --keep-empty', '{app=~".+"} | logfmt --strict|= "a"', '{app=~".+"} | logfmt | status=500', '{app=~".+"} | logfmt lvl="level", msg', '{app=~".+"} | logfmt --strict a, app, tid',
    '{app=~".+"} | logfmt | logfmt x="level"', '{app=~".+"} | logfmt a | logfmt a="level", x="a"', '{app=~".+"} | logfmt | __error__=""', '{app=~".+"} | logfmt | msg=""', '{app=~".+"} | logfmt a, msg, user | msg=""', '{app=~".+"} | logfmt | a=" A"', '{app=~".+"} | __error__="" | logfmt --strict',
    '{app=~".+"} | pattern `<ip> - <user> [<_>] "<method> <path> <_>" <status> <size>`', '{app=~".+"} | pattern `<_>=<a> <rest>` | a!=""', '{app=~".+"} | pattern `<app>:<msg>`',
    '{app=~".+"} | regexp `(?P<method>GET|POST) (?P<path>\\S+)`', '{app=~".+"} | regexp `(?P<app>e)(?P<opt>zz)?`', '{app=~".+"} | regexp `(?i)(?P<level>error|warn)` | level!=""',
    '{app=~".+"} | unpack', '{app=~".+"} | unpack |= "packed"', '{app=~".+"} | unpack | k="2"', '{app=~".+"} | json | unpack | level="error"', '{app=~".+"} | decolorize', '{app=~".+"} | decolorize |= "m in"',
    '{app=~".+"} | line_format "{{.level}}"', '{app=~".+"} | json | line_format "{{.level | upper}} {{.msg}}" |= "ERROR"', '{app=~".+"} | line_format "{{__line__}}" | decolorize |= "error in"',
    '{app=~".+"} | json | line_format "{{.__error__}}"', '{app=~".+"} | json | line_format "{{.__error__}}!"', '{app=~".+"} | line_format "{{ div 1 0 }}"', '{app=~".+"} | json | line_format "{{ .took | duration }} {{ .size | bytes }}"',
    '{app=~".+"} | line_format `{{ __timestamp__ | unixEpochNanos }} {{ regexReplaceAll "\\\\d" __line__ "N" }}`', '{app=~".+"} | json | line_format `{{ if eq .level "error" }}E{{ else }}-{{ end }} {{ printf "%-6s|%q" .level .msg }}`',
    '{app=~".+"} | line_format "{{ __line__ | alignRight 8 | lower }}"', '{app=~".+"} |= "{" | line_format "{{ range $k, $v := fromJson __line__ }}{{ $k }}={{ $v }};{{ end }}"', '{app=~".+"} | json | label_format l=level, m="{{.msg}}!"',
    '{app=~".+"} | label_format app="changed"', '{app=~".+"} | label_format pod=app', '{app=~".+"} | json | label_format level=msg, msg=level', '{app=~".+"} | drop pod, tid', '{app=~".+"} | drop app=~"sh.*", tid="T1"',
    '{app=~".+"} | json | drop __error__', '{app=~".+"} | json | drop __error__, __error_details__', '{app=~".+"} | keep app', '{app=~".+"} | json | keep level="error", status', '{app=~".+"} | keep nope',
    '({app="shop"} |= "error")', '{app=~".+"} | json | ip="10.0.0.1" | size="10KB" | duration="" | count=""', "{app=~\".+\"}\n  | json\n  |= `error`",
    # points 1 to 9: what is odd
    '{app=~".+"} | __error__="mine"', '{app=~".+"} | __error__!=""', '{app=~".+"} | json | __error__!=""', '{app=~".+"} | json | __error__="" | level!=""', '{app=~".+"} | json | __error__=~"JSON.*"', '{app=~".+"} | json | __error_details__=~".+"',
    '{app=~".+"} | app_extracted="two"', '{app=~".+"} | app_extracted!=""', '{app=~".+"} | drop app_extracted', '{app=~".+"} | keep app_extracted', '{app=~".+"} | keep app', '{app=~".+"} | drop app', '{app=~".+"} | drop app, app_extracted | json',
    '{app=~".+"} | a_b="1"', '{app=~".+"} | a_b="2"', '{app=~".+"} | json | a_b="2"', '{app=~".+"} | json | a_b!=""', '{app=~".+"} | json | line_format "{{.a_b}} {{.app_extracted}}"', '{app=~".+"} | label_format a_b=tid', '{app=~".+"} | label_format tid=a_b',
    '{app=~".+"} | drop __error__', '{app=~".+"} | keep __error__', '{app=~".+"} | json | drop __error__=""', '{app=~".+"} | json | drop __error__="JSONParserErr"', '{app=~".+"} | json | keep level', '{app=~".+"} | json | drop level | json', '{app=~".+"} | json | drop level | logfmt',
    '{app=~".+"} | json b="x", c="a.b"', '{app=~".+"} | json x="level", y="status"', '{app=~".+"} | json x="a[0]", y="a[2].level"', '{app=~".+"} | json x="[\\"\\"]"', '{app=~".+"} | json x="[0]"', '{app=~".+"} | json x="a.b" | __error__!=""', '{app=~".+"} | json x="nope.nope"',
    '{app=~".+"} | json kA="kA"', '{app=~".+"} | json | kA="1"', '{app=~".+"} | json | nbsp=""', '{app=~".+"} | json | level="nbsp"', '{app=~".+"} | json | size > 1MB', '{app=~".+"} | logfmt | size > 1MB', '{app=~".+"} | logfmt | size > 1MB | __error__=""',
    '{app=~".+"} | logfmt | level="nbsp"', '{app=~".+"} | logfmt --strict | level="info"', '{app=~".+"} | logfmt --strict --keep-empty | status=2', '{app=~".+"} | logfmt status, level | status!=""', '{app=~".+"} | logfmt x="status", y="x"', '{app=~".+"} | logfmt level="status", status="level"', '{app=~".+"} | logfmt x="\\"status"', '{app=~".+"} | logfmt x="\\"status]"', '{app=~".+"} | logfmt x="status\\"a\\""', '{app=~".+"} | logfmt x="\\"status\\" \\"a\\""',
    '{app=~".+"} | logfmt | n=16', '{app=~".+"} | logfmt | n=0x10p0', '{app=~".+"} | logfmt | b=3', '{app=~".+"} | logfmt | o=15', '{app=~".+"} | logfmt | u=1000', '{app=~".+"} | logfmt | e>0', '{app=~".+"} | logfmt | inf>1', '{app=~".+"} | logfmt | nan!=1', '{app=~".+"} | logfmt | status>0', '{app=~".+"} | logfmt | status>0 | __error__=""',
    '{app=~".+"} | logfmt | status<=-1', '{app=~".+"} | logfmt | status=+7', '{app=~".+"} | logfmt | status=.5', '{app=~".+"} | logfmt | took=5µs', '{app=~".+"} | logfmt | took<1ms', '{app=~".+"} | logfmt | took>=-5s', '{app=~".+"} | logfmt | took>1d', '{app=~".+"} | logfmt | took>1.5h', '{app=~".+"} | logfmt | took=1h30m',
    '{app=~".+"} | logfmt | size=1000', '{app=~".+"} | logfmt | size=1MB', '{app=~".+"} | logfmt | size>=5MiB', '{app=~".+"} | logfmt | size<1kB', '{app=~".+"} | logfmt | size=10KB', '{app=~".+"} | logfmt | size>1.5KB', '{app=~".+"} | logfmt | size>5B',
    '{app=~".+"} | logfmt | ip=ip("10.0.0.1")', '{app=~".+"} | logfmt | ip=ip("10.0.0.0-10.0.0.9")', '{app=~".+"} | logfmt | ip!=ip("::1")', '{app=~".+"} | json | ip=ip("10.1.1.1")', '{app=~".+"} |= ip("10.0.0.1/31")', '{app=~".+"} |= ip("::/0")', '{app=~".+"} != ip("0.0.0.0/0")',
    '{app=~".+"} | json | (level="x" or level="info") and status!="" or msg="m"', '{app=~".+"} | json | level="x" or status > 100 and size > 1KB', '{app=~".+"} | json | status > 100, level="error"', '{app=~".+"} | json | status > 100 level="error"', '{app=~".+"} | json | (status > 100 or took > 1s)', '{app=~".+"} | json | took > 1s and size > 1MB',
    '{app=~".+"} | json | level=~"(?i)ERROR|INFO"', '{app=~".+"} | json | level=~"^err.*$"', '{app=~".+"} | json | level=~"e[r]+or"', '{app=~".+"} | json | level!~".*r.*"', '{app=~".+"} | json | level=~"error|"', '{app=~".+"} | json | level=~"|error"', '{app=~".+"} | json | level=~"(error|info)"', '{app=~".+"} | json | level=~"x|y|z"',
    '{app=~".+"} |~ "level.*error"', '{app=~".+"} |~ "^\\\\{"', '{app=~".+"} |~ "[0-9]{3}"', '{app=~".+"} !~ "a|e|i"', '{app=~".+"} |~ `\d+\.\d+`', '{app=~".+"} |~ "\\bfoo\\b"', '{app=~".+"} |~ "(?i)ERROR" or "warn"', '{app=~".+"} !~ "error" or "info"', '{app=~".+"} |= "level" |~ "err" != "boom"', '{app=~".+"} |= ""', '{app=~".+"} != ""', '{app=~".+"} |~ ""', '{app=~".+"} !~ ""',
    '{app=~".+"} |> "<_>level<_>"', '{app=~".+"} |> "{<_>"', '{app=~".+"} |> "<_>}"', '{app=~".+"} !> "<_>=<_>"', '{app=~".+"} |> "" or "x"', '{app=~".+"} |> "<_>error<_>" or "<_>info<_>"', '{app=~".+"} |> "level=<_> status=<_>"', '{app=~".+"} |> "<_> - <_> [<_>] <_>"', '{app=~".+"} !> ""',
    '{app=~".+"} | pattern "<level>=<_> <status>"', '{app=~".+"} | pattern "<_> <level> <_>" | level!=""', '{app=~".+"} | pattern "{<rest>"', '{app=~".+"} | pattern "<app> <pod> <tid>"', '{app=~".+"} | pattern `<x>=<y>` | y="info"', '{app=~".+"} | regexp "(?P<level>[a-z]+)=(?P<status>[0-9]*)"', '{app=~".+"} | regexp "(?P<a>x)|(?P<b>y)" | b="y"', '{app=~".+"} | regexp "(?P<app>.)(?P<pod>.)" | app_extracted!=""',
    '{app=~".+"} | unpack | level!=""', '{app=~".+"} | unpack | json', '{app=~".+"} | unpack | app_extracted="shop"', '{app=~".+"} | json | unpack', '{app=~".+"} | decolorize | line_format "{{__line__}}!"', '{app=~".+"} | json | decolorize | level!=""', '{app=~".+"} | json | logfmt', '{app=~".+"} | logfmt | json', '{app=~".+"} | json | json', '{app=~".+"} | logfmt | logfmt',
    '{app=~".+"} | label_format x="{{.app}}", y=x', '{app=~".+"} | label_format app=pod, pod=app', '{app=~".+"} | label_format x=nope', '{app=~".+"} | label_format nope="x" | nope="x"', '{app=~".+"} | json | label_format level="" | level=""', '{app=~".+"} | label_format app="" | app=""', '{app=~".+"} | json | label_format status="{{.status}}" | status > 100',
    '{app=~".+"} | drop pod=~"web.*", tid!="T1"', '{app=~".+"} | keep pod=~"web.*", tid!="T1"', '{app=~".+"} | drop lvl!="L"', '{app=~".+"} | keep level, status, app="x"', '{app=~".+"} | json | keep __error__', '{app=~".+"} | json | keep __error_details__', '{app=~".+"} | json | drop __error_details__', '{app=~".+"} | drop nope', '{app=~".+"} | drop app="nope"',
    '{app="nix"}', '{app="nix"} | json', '{app="shop"} |= "nowhere"', '{app=~".+", app!~"x|shop"}', '{app=~".+", lvl!=""}', '{app=~".+", lvl=""}', '{app=~"x.*"}', '{app=~".*x"}', '{app=~"a\\\\|b"}', '{pod=~"web-[01]"}', '{app=~".+", nope!="x"}', '{app!=""}', '{app=~".+", pod=~"web-.|"}', '{app=~"SHOP|x"}',
    '{app=~".+"} | json # json\n| level="error" // or not\n| status > 1 /* all */', '{ app =~ `.+` }|json|level=`error`|status>1', '{app=~".+"} | JSON | level="error" AND status=500', '{app=~".+"} | logfmt | took > 1s OR took = 90ms', '(({app="shop"} | json))', '{app=~".+"} | json | level = "error" , status = 500',
    '{app=~".+"} | logfmt | n = 0x10', '{app=~".+"} | logfmt | n = 1_000', '{app=~".+"} | logfmt | n = 0o17', '{app=~".+"} | logfmt | n = 017', '{app=~".+"} | logfmt | n = 0x1p4', '{app=~".+"} | logfmt | n = 0x1e5', '{app=~".+"} | logfmt | n = - 5', '{app=~".+"} | logfmt --strict --strict',
    '{app=~".+"} | logfmt | n >= 0x10', '{app=~".+"} | logfmt | status > 0x1', '{app=~".+"} | logfmt | status==0b11',
]

# What Loki's parser refuses.
REFUSED = [
    '{', '{app}', '{app="x"', '{app="x"} |', '{app="x"} |=', '{app="x"} foo', '{app="x"} "foo"', '{app="x"} | json |', '{app="x"} | status >', '{app="x"} | jsn', "{app='x'}",
    '{app=~"("}', '{app="x"} | regexp "x"', '{app="x"} | regexp "(?P<ü>x)"', '{app="x"} | pattern "<a><b>"', '{app="x"} | pattern "x"',
    '{app="x"} | by="x"', '{app="x"} ]', '{app="x"} | a > "5"', '{app="x"} | a=5kk', '{app="x",}', '{app="x"} | json a=', '{app="x"} |= "a" or', '{app="x"} | drop', '{app="x"}\n| json\n| status >> 5',
    '', '{}', '{app=""}', '{app=~".*"}', '{app!="x"}', '{app="x"} | json |= ', '{app="x"} |~', '{app="x"} |= x', "{app=\"x\"} |= 'x'", '{app="x"} | level==', '{app="x"} | level=="x"', '{app="x"} | level>"5"', '{app="x"} | level = 5 6', '{app="x"} | d > 5sec', '{app="x"} | d > 5 s', '{app="x"} | d > 5m5', '{app="x"} | n > 0x', '{app="x"} | n > 0b12', '{app="x"} | n = 1__0', '{app="x"} | n = 1_', '{app="x"} | n = 08', '{app="x"} | n = 1e',
    '{app="x"} | n = 1_E09', '{app="x"} | n = 0b11', '{app="x"} | n = 0x1.8', '{app="x"} | n = 0b1.1', '{app="x"} | n = 5\u03bcs', '{app="x"} | n = -0x10', '{app="x"} | n = --5', '{app="x"} | n = +-5',
    '{app="x"} | pattern ""', '{app="x"} | pattern "<_>"', '{app="x"} | pattern "<a> <a>"', '{app="x"} | regexp ""', '{app="x"} | regexp "("', '{app="x"} | regexp "(?P<a>x)(?P<a>y)"', '{app="x"} | regexp 5', '{app="x"} | line_format', '{app="x"} | line_format x', '{app="x"} | label_format', '{app="x"} | label_format a', '{app="x"} | label_format a=', '{app="x"} | label_format a=5', '{app="x"} | drop', '{app="x"} | keep a=', '{app="x"} | keep a="b',
    '{app="x"} | drop a=~"("', '{app="x"} | a=~"("', '{app="x"} | a!~"*"', '{app=~"*"}', '{app="x", }', '{,app="x"}', '{app="x" pod="y"}', '{app="x" and pod="y"}', '{app:"x"}', '{app=="x"}', '{"app"="x"}', '{app=x}', '{app="x"', 'app="x"', '"x"', 'error', '{app="x"} | | json', '{app="x"} || json', '{app="x"} | json | | level="x"', '{app="x"} | logfmt --stric', '{app="x"} | json --strict', '{app="x"} | unpack x', '{app="x"} | decolorize x',
    '{app="x"} | unwrap y', '{app="x"} [5m]', '{app="x"} offset 5m', '{app="x"} | ip("1.2.3.4")', '{app="x"} | a = ip(1.2.3.4)', '{app="x"} | a > ip("1.2.3.4")', '{app="x"} |= ip()', '{app="x"} |= "a" or or "b"', '{app="x"} |= "a" and "b"', '{app="x"} or {app="y"}', '{app="x"} and {app="y"}', '({app="x"}) | json', '({app="x"} | json', '{app="x"} | (level="x"', '{app="x"} | level="x")', '{app="x"} | not level="x"', '{app="x"} | level in ("a")', '{app="x"} | a.b="x"', '{app="x"} | "a"="x"', '{app="x"} | json a.b', '{app="x"} | json "a"', '{app="x"} | json a="b" c="d"', '{app="x"} | json a=b', 
    '{app="x"} |= "\\q"', '{app="x"} |= "\\x4"', '{app="x"} |= "\\400"', '{app="x"} |= "\\U00110000"', '{app="x"} |= "a\nb"', '{app="x"} |= `a', '{app="x"} /* open', '{app="x"} \\', '{app="x"} ;', '{app="x"} $', '{app="x"} @ 5', '{app="x"} | bool="x"', '{app="x"} | on="x"', '{app="x"} | json="x"', '{app="x"} | drop json', '{\u00e4pp="x"} | \u00e4="x" | = "y"', '{app="x"}\n\n  | jsn\n', '{app="x"} | sum="x" | rate > ', '{app="x"} | \u20ac', '{app="x"}}', '{{app="x"}',
]


class Generator:
    """Random pipelines out of what LINES hold."""

    names = ("app", "pod", "lvl", "level", "status", "took", "size", "ip", "tid", "user", "msg", "a", "a_b_c", "x", "k", "app_extracted", "level_extracted", "__error__", "nope")
    values = ("", "x", "error", "shop", "500", "7", "1.5s", "10KB", "T1", "10.0.0.1", "stream", "meta", "boom", "JSONParserErr", "a|b")
    regexes = ("error", "err|error", ".*", ".+", "e.*", "(?i)ERROR", "a|b", "", "[0-9]+", "^web", "200|500", ".*o.*", "shop|x")
    templates = ("{{.level}}", "{{.msg}}-{{.a}}", "{{__line__}}", "x", "{{ .status | add 1 }}", "{{ .nope }}", "{{ .took | duration }}", "{{ __line__ | lower }}", "{{.__error__}}")
    paths = ("level", "a.b.c", "a", "x", "x[0]", "a.d[0]", "app", "_entry", "status", "msg")
    keys = ("level", "status", "a", "app", "msg", "nope", "k", "tid")

    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, choices):
        return self.random.choice(choices)

    def several(self, make):
        return ", ".join(make() for _ in range(self.random.randint(1, 3)))

    def extractions(self, sources):
        # Which of two labels for one key gets its value is Loki's whim.
        count = self.random.randint(1, 3)
        targets = self.random.sample([name for name in self.names if name != "__error__"], count)
        return ", ".join(f'{name}="{source}"' for name, source in zip(targets, self.random.sample(sources, count)))

    def matcher(self):
        op = self.one(("=", "!=", "=~", "!~"))
        return f"{self.one(self.names)}{op}{json.dumps(self.one(self.regexes if '~' in op else self.values))}"

    def label_filter(self, depth=0):
        kind = self.random.random()
        if depth < 2 and kind < 0.25:
            text = self.label_filter(depth + 1) + self.one((" and ", ", ", " or ")) + self.label_filter(depth + 1)
            return f"({text})"
        if kind < 0.6:
            return self.matcher()
        if kind < 0.7:
            return f'{self.one(self.names)}{self.one(("=", "!="))}ip("10.0.0.0/8")'
        return f'{self.one(self.names)} {self.one(("==", "!=", ">", ">=", "<", "<="))} {self.one(("5", "500", "1s", "300ms", "1KB", "1KiB", "10KB", "-1"))}'

    def stage(self):
        kind = self.random.random()
        if kind < 0.25:
            op = self.one(("|=", "!=", "|~", "!~"))
            choices = self.regexes if "~" in op else self.values
            return op + " " + " or ".join(json.dumps(self.one(choices)) for _ in range(self.one((1, 1, 1, 2))))
        if kind < 0.5:
            return "| " + self.label_filter()
        return self.one((
            lambda: "| json", lambda: "| logfmt" + self.one(("", " --strict", " --keep-empty")), lambda: "| unpack", lambda: "| decolorize",
            lambda: "| json " + self.extractions(self.paths), lambda: "| logfmt " + self.extractions(self.keys),
            lambda: '| regexp "(?P<level>err|warn)(?P<x>or)?"', lambda: '| pattern "<ip> - <user> <_>"',
            lambda: "| line_format " + json.dumps(self.one(self.templates)),
            lambda: f"| label_format {self.one(self.names[:-2])}={self.one(self.names[:-2])}, z={json.dumps(self.one(self.templates))}",
            lambda: "| " + self.one(("drop ", "keep ")) + self.several(lambda: self.one((self.one(self.names), self.matcher()))),
        ))()

    def query(self):
        return '{app=~".+"} ' + " ".join(self.stage() for _ in range(self.random.randint(1, 4)))


def records(now):
    """(labels, ns, line, metadata), a second apart, the newest at `now`."""
    chooser = random.Random(7)
    rows = [(chooser.choice(LABELS), now - i * 1_000_000_000, line, chooser.choice(METADATA)) for i, line in enumerate(LINES * 3)]
    return rows + [(labels, now - (len(rows) + 4 * i + k) * 1_000_000_000, LINES[k], metadata)
                   for i, metadata in enumerate(ODD_METADATA) for k, labels in enumerate(LABELS)]
