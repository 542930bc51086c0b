#!/usr/bin/env python3
"""The page in a real Chromium, served by a real `weir serve` over a spool: that both halves speak the same language.

What the page does with the answers is tested with a stand-in (page_test.py).
"""
import gzip
import json
import os
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import fake_serve
import weir_kit
from fake_serve import JAVA, NS, pod, record, shop
from page_kit import PageCase


def lines(records):
    """As `weir buffer` reads them."""
    out = []
    for r in records:
        found = {"timestamp": str(r["ts"]), "line": r["line"], "labels": r["labels"], "metadata": {**r["metadata"], "detected_level": r["level"]}}
        out.append(json.dumps(found, ensure_ascii=False))
    return ("\n".join(out) + "\n").encode()


def push(url, records, tenant=""):
    streams = [{"stream": r["labels"], "values": [[str(r["ts"]), r["line"], {**r["metadata"], "detected_level": r["level"]}]]} for r in records]
    request = urllib.request.Request(url + "loki/api/v1/push", json.dumps({"streams": streams}).encode(), {"Content-Type": "application/json", **({"X-Scope-OrgID": tenant} if tenant else {})})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 204, answer.status


class Serve(PageCase, weir_kit.Case):
    def setUp(self):
        weir_kit.Case.setUp(self)
        PageCase.setUp(self)

    def serve_real(self, records):
        spool = self.dir / "logs.db"
        subprocess.run([weir_kit.WEIR, "buffer", "--store", str(spool)], input=lines(records), check=True, env=weir_kit.environment())
        process = self.start(weir_kit.WEIR, "serve", "--listen", "127.0.0.1:0", str(spool), stderr=subprocess.PIPE, text=True, env=weir_kit.environment())
        found = ""
        while "http://" not in found:
            found = process.stderr.readline()
            assert found, "serve ended"
        self.url = "http://" + found.split("http://")[1].split()[0].rstrip("/,.") + "/"

    def get(self, path, **headers):
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()

    def test_the_files(self):
        self.serve_real(shop(10))
        for name in ["", *("page/" + name for name in fake_serve.FILES)]:
            status, headers, plain = self.get(name)
            self.assertEqual((status, headers["X-Content-Type-Options"]), (200, "nosniff"))
            self.assertEqual(headers["Content-Security-Policy"], fake_serve.POLICY)
            _, zipped, body = self.get(name, **{"Accept-Encoding": "gzip"})
            self.assertEqual((zipped["Content-Encoding"], gzip.decompress(body)), ("gzip", plain))
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.get(name, **{"If-None-Match": headers["ETag"]})
            self.assertEqual(caught.exception.code, 304)
            caught.exception.close()
        for path in ("page/", "page/../page.cc", "page/none", "page"):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.get(path)
            self.assertEqual(caught.exception.code, 404)
            caught.exception.close()

    def test_the_newest_lines_of_all_there_is(self):
        records = shop(3000)
        self.serve_real(records)
        self.open()
        self.says("1,000 lines and older ones")
        self.assertEqual(self.rows()[-1], records[-1]["line"])
        self.b.wait("document.querySelectorAll('.histogram path').length >= 3")
        legend = self.b.js("return [...document.querySelectorAll('.histogram .legend button')].map(e => e.textContent)")
        self.assertEqual(sum(int(text.split()[-1].replace(",", "")) for text in legend), 3000)
        self.b.wait("document.getElementById('spool-brief').textContent.startsWith('3,000 records')")
        print(f"the first line is there after {self.b.value('window.firstRow'):.0f} ms")

    def test_zoom_filter_context_and_errors(self):
        self.serve_real(shop(2000))
        self.open()
        self.b.wait("document.querySelector('.histogram path')")
        self.b.drag(".histogram .plot-area", 0.25, 0.5)
        self.b.wait("location.hash.includes('from=')")
        self.done()
        self.b.back()
        self.b.wait("!location.hash.includes('from=')")
        self.done()
        self.ask('{app="checkout"}')
        self.b.wait("location.hash.includes('checkout')")
        self.done()
        self.press("Escape", "p", "o")
        self.b.wait("document.querySelector('.details')")
        self.b.click(".details button[aria-label='user_plan = pro']")
        self.b.wait("location.hash.includes('user_plan')")
        self.done()
        self.b.wait("document.querySelector('.row')")
        self.press("p", "c")
        self.b.wait("document.querySelectorAll('#context .row').length > 20")
        self.assertTrue(self.b.value("document.querySelector('#context .here')"))
        self.b.click("#context input")
        self.press("slow", "Enter")
        self.b.wait("[...document.querySelectorAll('#context .text')].every(e => e.textContent.includes('slow'))")
        self.may_complain = True
        self.ask('{app="checkout"} |= oops')
        self.b.wait("!document.querySelector('.error').hidden")
        self.assertTrue(self.b.value("document.querySelector('.error mark')"))
        self.ask("sum(oops)")
        self.b.wait("location.hash.includes('sum') && !document.querySelector('.error').hidden")

    def test_completion_and_labels(self):
        self.serve_real(shop(500))
        self.open()
        self.press("/", '{app="checkout", pod="')
        self.b.wait("document.querySelectorAll('#q-list li').length === 2")
        self.press("Escape", "Escape", "b")
        self.b.wait("document.querySelectorAll('#labels details').length >= 4")

    def test_older_lines_and_a_link_to_one_of_them(self):
        self.serve_real([record(fake_serve.START + i // 7 * NS, f"line {i}", labels=pod(f"web-{i % 3}")) for i in range(3500)])
        self.open()
        for n in ("2,000 lines", "3,000 lines", "3,500 lines"):
            self.press("g")
            self.says(n)
        self.press("g", "j", "j", "u")
        self.says("link copied")
        self.press("d")
        self.says("3,500 records saved")
        path = weir_kit.wait_for(lambda: next(iter(self.b.downloads.glob("*.jsonl")), None), "the download")
        self.assertEqual(sorted(json.loads(line)["line"] for line in path.read_text().splitlines()), sorted(f"line {i}" for i in range(3500)))
        path.unlink()
        self.b.wait("location.hash.includes('at=')")
        at = self.state("at")
        self.b.open(self.b.value("location.href"))
        self.done()
        self.b.wait(f"document.querySelector('.row.cursor .time')?.title.includes('{at}')")

    def test_several_values_of_a_label_and_plain_words(self):
        self.serve_real(shop(500))
        self.open("labels=1")
        self.b.wait("document.querySelectorAll('#labels details').length >= 4")
        for value in ("nginx", "coredns"):
            self.b.js("[...document.querySelectorAll('#labels .value')].find(e => e.textContent === given[0]).click()", value)
            self.done()
        self.assertEqual(self.state("q"), '{app=~"nginx|coredns"}')
        self.assertTrue(all("GET" in text or "NOERROR" in text for text in self.rows()))
        self.ask("GET products")
        self.b.wait("document.getElementById('says').textContent.startsWith('no lines')")
        self.ask("payment refused")
        self.b.wait("document.querySelector('.row mark')?.textContent === 'payment refused'")

    def test_the_status(self):
        self.serve_real(shop(100))
        self.open()
        self.press("s")
        self.b.wait("document.querySelectorAll('#spool-table tr').length >= 8")
        text = self.b.value("document.getElementById('spool').innerText")
        self.assertRegex(text, r"Records\t100 in 4 streams, [\d.]+ KiB of lines\n")
        self.assertRegex(text, r"Newest\t\d+ days ago \(2026-09-21 ")
        self.assertIn("receives logs and reads them", text)
        self.assertNotRegex(text, "(?i)undelivered|delivered to|undefined|null|NaN")

    def test_metrics(self):
        self.serve_real(shop(2000))
        start = fake_serve.START
        self.open(f"q=sum by (app) (count_over_time({{namespace=~\".%2B\"}}[1m]))&from={start}&to={start + 3600 * NS}", done=False)
        self.b.wait("document.querySelectorAll('.chart path').length === 3")
        self.press("t")
        self.b.wait("document.querySelectorAll('.chart-table tbody tr').length > 30")

    def test_live(self):
        now = time.time_ns()
        self.serve_real([record(now - (100 - i) * NS, f"line {i}") for i in range(100)])
        self.open("live=1")
        for i in range(100, 103):
            push(self.url, [record(time.time_ns(), f"line {i}")])
            self.b.wait(f"[...document.querySelectorAll('.row .text')].some(e => e.textContent === 'line {i}')")
        self.assertEqual([self.rows().count(f"line {i}") for i in range(97, 103)], [1] * 6)
        self.b.wheel(".list", -500)
        push(self.url, [record(time.time_ns(), "line 103")])
        self.b.wait("document.querySelector('.waiting').textContent === '1 new line'")

    def test_a_record_ahead_of_the_clock(self):
        now = time.time_ns()
        self.serve_real([record(now - 40 * 86400 * NS, "old"), record(now - NS, "first"), record(now + 365 * 86400 * NS, "ahead")])
        self.open("live=1&labels=1")
        self.b.wait("document.querySelectorAll('#labels details').length >= 4")
        for i in range(3):
            push(self.url, [record(time.time_ns(), f"line {i}")])
            self.b.wait(f"[...document.querySelectorAll('.row .text')].some(e => e.textContent === 'line {i}')")
        self.assertEqual(self.rows(), ["old", "first", "line 0", "line 1", "line 2", "ahead"])
        self.ask('count_over_time({app="checkout"}[1d])')
        self.says("series: a value every")
        self.says("of 30 days")

    def test_times_near_the_epoch(self):
        self.serve_real([])
        push(self.url, [record(NS, "first"), record(2 * NS, "second"), record(3 * NS, "third")])
        self.open("labels=1")
        self.says("3 lines")
        self.b.wait("document.querySelectorAll('#labels details').length >= 4")

    def test_a_spool_that_is_deleted(self):
        self.serve_real(shop(20))
        self.open()
        self.says("20 lines")
        for path in self.dir.glob("logs.db*"):
            path.unlink()
        self.may_complain = True
        self.b.click("#run")
        self.b.wait("/gone|deleted/.test(document.getElementById('panes').textContent)")

    def test_live_of_a_tenant(self):
        self.serve_real([])
        now = time.time_ns()
        push(self.url, [record(now - NS, "of nobody")])
        push(self.url, [record(now - NS, "of team a")], tenant="team-a")
        self.open("tenant=team-a&live=1")
        push(self.url, [record(time.time_ns(), "new of nobody")])
        push(self.url, [record(time.time_ns(), "new of team a")], tenant="team-a")
        self.b.wait("[...document.querySelectorAll('.row .text')].some(e => e.textContent === 'new of team a')")
        self.assertEqual(self.rows(), ["of team a", "new of team a"])

    def test_tenants(self):
        self.serve_real(shop(100))
        self.open("tenant=nobody")
        self.says("no lines: no records of tenant nobody")

    def test_traces_fold(self):
        self.serve_real([record(fake_serve.START + i * 1000, line, "error", pod("a-1")) for i, line in enumerate(JAVA)])
        self.open()
        self.b.wait("document.querySelector('.fold')?.textContent === '+ 6 lines'")


def has_query_api():
    """Does this `weir serve` answer what the page asks?"""
    case = Serve("test_the_files")
    weir_kit.Case.setUp(case)
    try:
        case.serve_real(shop(1))
        case.get("weir/api/v1/status")
        return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    finally:
        case.doCleanups()


if __name__ == "__main__":
    if not has_query_api():
        print("SKIPPED: this weir serve answers no queries", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    unittest.main()
