#!/usr/bin/env python3
"""Everything on a record's way is accounted for, as a pipe and fused: what came in is dropped, stored, delivered or rejected.

Two witnesses that know nothing of each other: what the stages say at their end, and what files, spool and target hold.
"""
import json
import re
import signal
import time
import unittest

import weir_kit as kit

COUNT = r"([\d,]+)"
HELD = rf"; {COUNT} held records? stays? in the spool"
STORED, PUSHED, REJECTED = rf"stored {COUNT} (?:records?|of them)\b", rf"pushed {COUNT} records?\b", rf"; {COUNT} rejected"


class Books(kit.SinkCase):
    def setUp(self):
        super().setUp()
        self.written = {"web": 0, "health": 0, "long": 0}

    def write(self, pod, web, health=0, long=0):
        """Lines of three kinds: those that are delivered, those that filter drops, those that push refuses for their size."""
        path = self.pods / f"shop_{pod}_uid-{pod}" / "app" / "0.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with open(path, "a", encoding="ascii") as log:
            for kind, count in (("web", web), ("health", health), ("long", long)):
                for _ in range(count):
                    text = f"{kind} {self.written[kind]}" + (" x" * 600 if kind == "long" else "")
                    log.write(f"{stamp} stdout F {text}\n")
                    self.written[kind] += 1

    def stages(self, follow=False, *, spill=False):
        return [f"tail {'-f ' if follow else ''}--checkpoint {self.spool} {self.pods}", "enrich --level",
                "filter --drop '|= \"health\"'", f"buffer {self.spool} --min-free 0{' --spill' if spill else ''}",
                f"push {self.url} --max-line-size 1000 --start-jitter 0"]

    def status(self):
        return json.loads(kit.weir("spool", "status", self.spool, "-o", "json"))

    def said(self, chain, *patterns):
        """The sums of what the end of the chain says, by pattern: 0 for what it does not speak of."""
        errors = chain.errors()
        return [sum(int(found.replace(",", "")) for found in re.findall(pattern, errors)) for pattern in patterns]

    def delivered(self):
        return sum(map(len, kit.sink_records(self.record).values()))

    def distinct(self):
        return len({row[1] for rows in kit.sink_records(self.record).values() for row in rows})

    def assert_spool_adds_up(self, status, spill=False):
        kept = status["undelivered"] + status["delivered"] + status["held"] + status["rejected"]
        # Spilling, what is refused before it was stored is in the rejected store alone.
        self.assertTrue(0 <= kept - status["records"] <= (status["rejected"] if spill else 0), status)

    def test_held_records_stay_and_are_in_the_books(self):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = [{"timestamp": stamp, "line": f"line {n}", "labels": {"app": "a"}, **({"held": True} if n % 3 == 0 else {})}
                 for n in range(3000)]

        def body(fused, spill):
            (self.dir / "in").write_text("".join(json.dumps(line) + "\n" for line in lines))
            chain = self.chain([f"buffer {self.spool} --min-free 0{' --spill' if spill else ''}", f"push {self.url} --start-jitter 0"], fused,
                               stdin=self.dir / "in")
            self.assertEqual(max(chain.wait()), 0, chain.errors())
            held, pushed = self.said(chain, HELD, PUSHED)
            self.assertEqual((held, pushed, self.delivered()), (1000, 2000, 2000))
            if not spill:
                self.assertEqual(self.said(chain, STORED), [3000])
            status = self.status()
            self.assertEqual((status["held"], status["undelivered"]), (1000, 0))
            self.assert_spool_adds_up(status, spill)

        for spill in (False, True):
            self.both(lambda fused, s=spill: body(fused, s))

    def test_a_run_with_rejections(self):
        def body(fused):
            self.write("a", 3000, 700, 5)
            self.write("b", 2000, 300, 2)
            chain = self.chain(self.stages(), fused)
            self.assertEqual(max(chain.wait()), 3, chain.errors())  # with losses: seven are too long
            stored, pushed, rejected = self.said(chain, STORED, PUSHED, REJECTED)
            self.assertEqual(stored, 5007)
            self.assertEqual((pushed, rejected), (5000, 7))
            self.assertEqual(self.delivered(), pushed)
            status = self.status()
            self.assert_spool_adds_up(status)
            self.assertEqual((status["delivered"], status["rejected"], status["undelivered"]), (pushed, rejected, 0))

        self.both(body)

    def test_an_outage_and_a_stop_in_it(self):
        def body(fused):
            kit.get(f"{self.url}/fail?status=503&count=1000000", data=b"")
            self.write("a", 4000, 100, 3)
            chain = self.chain(self.stages(True), fused)
            kit.wait_for(lambda: "trying again" in chain.errors() and self.spool.exists() and self.status()["records"] == 4003,
                         chain.errors)
            chain.signal(signal.SIGTERM)
            chain.wait()
            stored, pushed = self.said(chain, STORED, PUSHED)
            status = self.status()
            self.assert_spool_adds_up(status)
            self.assertEqual((stored, pushed, self.delivered()), (4003, 0, 0))
            self.assertEqual(status["undelivered"] + status["rejected"], 4003)
            first_rejected = status["rejected"]

            kit.get(f"{self.url}/fail?status=503&count=0", data=b"")
            again = self.chain(self.stages(), fused)
            again.wait()
            stored, pushed, rejected = self.said(again, STORED, PUSHED, REJECTED)
            self.assertEqual((stored, pushed, rejected), (0, 4000, 3 - first_rejected), again.errors())
            self.assertEqual(self.delivered(), 4000)

        self.both(body)

    def kill(self, fused, spill):
        """Killed in the middle of delivery, which is held up then, and started again: then the spool adds up."""
        self.write("a", 1500, 200, 3)
        chain = self.chain(self.stages(True, spill=spill), fused)
        kit.wait_for(lambda: self.distinct() >= 1500, chain.errors)
        kit.get(f"{self.url}/fail?status=503&count=1000000", data=b"")
        self.write("a", 2500, 300, 4)
        self.write("b", 1000, 50)
        kit.wait_for(lambda: "trying again" in chain.errors(), chain.errors)
        if not spill:
            kit.wait_for(lambda: self.status()["records"] >= 2000, chain.errors)
        chain.kill()
        between = self.status()
        self.assert_spool_adds_up(between, spill)
        # What was acknowledged was delivered, or refused; what the target has and nobody has noted comes again.
        before = self.delivered()
        self.assertLessEqual(between["delivered"], before)
        self.assertLessEqual(between["rejected"], self.written["long"])

        self.write("b", 500, 25, 1)
        kit.get(f"{self.url}/fail?status=503&count=0", data=b"")
        again = self.chain(self.stages(spill=spill), fused)
        again.wait()
        after = self.status()
        self.assert_spool_adds_up(after, spill)
        self.assertEqual(after["undelivered"], 0, again.errors())
        self.assertEqual(self.distinct(), self.written["web"])
        stored, pushed, rejected = self.said(again, STORED, PUSHED, REJECTED)
        self.assertEqual(self.delivered() - before, pushed)
        if spill:
            # What the killed run had rejected and not noted is refused again, and may be kept twice; nothing is missing.
            self.assertGreaterEqual(after["rejected"], self.written["long"])
            return
        # Nothing that the spool held before the kill is stored again, nothing that was written is missing in it.
        self.assertEqual(after["records"], self.written["web"] + self.written["long"])
        self.assertEqual(between["records"] + stored, after["records"], again.errors())
        # What waited in between and what came then is what the second run delivered or saw refused.
        self.assertEqual(between["undelivered"] + stored, pushed + rejected, again.errors())
        self.assertEqual(after["delivered"], self.written["web"])
        self.assertEqual(after["rejected"], self.written["long"])

    def test_a_kill_in_the_middle(self):
        self.both(lambda fused: self.kill(fused, False))

    def test_a_kill_in_the_middle_of_spilling(self):
        self.both(lambda fused: self.kill(fused, True))


if __name__ == "__main__":
    unittest.main()
