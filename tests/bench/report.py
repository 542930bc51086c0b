"""Prints figures as a table, each with its limit where there is one, and remembers which were missed."""


class Report:
    def __init__(self):
        self.missed = []

    def title(self, text):
        print(f"\n{text}\n{'-' * len(text)}", flush=True)

    def cost(self, cost, input_bytes, note=""):
        """One process: MB/s, CPU s/GB, memory and bytes written for each byte of `input_bytes`."""
        print(f"  {cost.name:<34} {input_bytes / 1e6 / cost.wall:8.1f} MB/s {cost.cpu / input_bytes * 1e9:7.2f} CPU s/GB "
              f"{cost.pss / 1e6:7.1f} MB PSS {cost.hwm / 1e6:7.1f} MB RSS {cost.written / input_bytes:6.3f} written/read  {note}", flush=True)

    def figure(self, what, value, unit="", limit=None, at_least=None):
        """One figure; `limit` is the most and `at_least` the least it may be."""
        text = f"  {what:<66} {value:>12,.3f} {unit}"
        if limit is not None or at_least is not None:
            good = (limit is None or value <= limit) and (at_least is None or value >= at_least)
            text += f"   limit {limit if limit is not None else at_least:g}   {'ok' if good else 'MISSED'}"
            if not good:
                self.missed.append(f"{what}: {value:,.3f} {unit}")
        print(text, flush=True)

    def check(self, what, good, detail=""):
        print(f"  {what:<66} {'ok' if good else 'WRONG'} {detail}", flush=True)
        if not good:
            self.missed.append(f"{what} {detail}")
