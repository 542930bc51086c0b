"""What joining the lines of stack traces costs: a log of Java services, a third of whose lines are those of traces, with and without it."""
import random

import measure
import weir_kit as kit

SHARE = 0.02  # of requests that fail
LIMITS = {"java": 1.3, "a regular expression": 1.3}  # times the CPU of reading without


def write(path, mb, cri):
    """A log of about `mb` megabytes."""
    dice, size, number, clock = random.Random(1), 0, 0, 0
    with open(path, "w", encoding="ascii") as log:
        while size < mb * 1e6:
            number += 1
            head = f"2026-11-30 10:00:00,{number % 1000:03d} {{}} [http-nio-8080-exec-{number % 9}] c.s.o.OrderController - "
            if dice.random() < SHARE:
                lines = [head.format("ERROR") + f"request {number} failed", f"java.lang.IllegalStateException: cannot reserve stock for order {number}"]
                lines += [f"\tat com.shop.orders.service.StockService$$Lambda.reserve{i}(StockService.java:{dice.randint(10, 900)})"
                          for i in range(dice.randint(10, 40))]
                lines.append("Caused by: java.sql.SQLTimeoutException: timeout after 5000 ms")
                lines += [f"\tat com.zaxxer.hikari.pool.ProxyStatement.execute(ProxyStatement.java:{dice.randint(10, 900)})" for _ in range(8)]
                lines.append("\t... 31 common frames omitted")
            else:
                lines = [head.format("INFO") + f"order {number} accepted for customer {dice.randint(1, 99999)} in {dice.randint(1, 300)} ms"]
            for line in lines:
                clock += 137
                stamp = f"2026-11-30T10:{clock // 60_000_000 % 60:02d}:{clock // 1_000_000 % 60:02d}.{clock % 1_000_000 * 1000:09d}Z stdout F "
                size += log.write((stamp if cri else "") + line + "\n")
    return size


def run(report, folder, mb, runs):
    report.title("tail --multiline")
    for form in ("cri", "raw"):
        path = folder / f"java-{form}.log"
        size = write(path, mb, form == "cri")
        measure.run([["cat", str(path)]])
        kinds = {"no": [], "java": ["--multiline", "java"], "a regular expression": ["--multiline", r"^\d{4}-\d\d-\d\d"]}
        best = {}
        for _ in range(runs):  # in turn, and the least of each: another load on the machine only adds
            for kind, options in kinds.items():
                (cost,) = measure.run([[kit.WEIR, "tail", *options, str(path)]], [f"tail, {form}, joins by {kind}"], env=kit.environment())
                if kind not in best or cost.cpu < best[kind].cpu:
                    best[kind] = cost
        for kind, cost in best.items():
            report.cost(cost, size, "of log")
            if kind != "no":
                report.figure(f"{form}, joined by {kind}, relative to not joined", cost.cpu / best["no"].cpu, "times", limit=LIMITS[kind])
        path.unlink()
