#!/usr/bin/env python3
"""Holds the C++ of the tree against the rules of CONTRIBUTING.md that a compiler does not see.

usage: house_test.py ROOT
Every lib/MODULE/NAME.cc has tests/MODULE/NAME_test.cc, or stands below with the test that has its behaviour. No line is over 132
columns. clang-format changes nothing; it is asked where its version 14 is installed, because another one wraps differently.
"""
import pathlib
import shutil
import subprocess
import sys
import unittest

COLUMNS = 132
FOLDERS = ("lib", "cmd", "tests", "examples")

FORMAT_OFF = "clang-format off"

# lib/MODULE/NAME: the file below tests/ that tests it, where that does not bear its name
TESTED_IN = {
    "base/backoff": "base/base_test.cc",
    "base/clock": "base/base_test.cc",
    "base/diagnostics": "base/base_test.cc",
    "base/private_file": "spool/writer_test.cc",
    "base/resident_code": "base/base_test.cc",
    "base/result": "base/base_test.cc",
    "base/stop": "base/base_test.cc",
    "base/thread": "base/last_words_test.cc",
    "convert/chain": "convert/pipeline_stages_test.cc",
    "convert/conversion": "convert/promtail_test.cc",
    "convert/pod_samples": "convert/pod_targets_test.cc",
    "convert/report": "convert/promtail_test.cc",
    "delivery/checkpoint_positions": "stages/push_restart_test.cc",
    "delivery/consumer_positions": "delivery/delivery_ledger_test.cc",
    "delivery/left_records": "delivery/delivery_lane_test.cc",
    "delivery/redelivery": "delivery/delivery_ledger_test.cc",
    "delivery/spill_window": "stages/buffer_spill_test.cc",
    "delivery/spool_backlog": "stages/push_spool_test.cc",
    "delivery/spool_delivery": "stages/push_spool_test.cc",
    "delivery/spool_gauge": "stages/push_spool_test.cc",
    "gotemplate/builtin_functions": "gotemplate/template_test.cc",
    "gotemplate/encoding_functions": "gotemplate/template_test.cc",
    "gotemplate/functions": "gotemplate/template_test.cc",
    "gotemplate/json_value": "gotemplate/template_test.cc",
    "gotemplate/lexer": "gotemplate/template_test.cc",
    "gotemplate/literal": "gotemplate/template_test.cc",
    "gotemplate/number_functions": "gotemplate/template_test.cc",
    "gotemplate/parser": "gotemplate/template_test.cc",
    "gotemplate/print": "gotemplate/template_test.cc",
    "gotemplate/run": "gotemplate/template_test.cc",
    "gotemplate/text_functions": "gotemplate/template_test.cc",
    "gotemplate/time_functions": "gotemplate/template_test.cc",
    "gotemplate/tree": "gotemplate/template_test.cc",
    "gotemplate/value": "gotemplate/template_test.cc",
    "gotemplate/verb_text": "gotemplate/template_test.cc",
    "gotext/go_time": "gotemplate/template_test.cc",
    "gotext/go_time_reader": "gotemplate/template_test.cc",
    "gotext/time_layout": "gotemplate/template_test.cc",
    "gotext/json_reader": "logql/json_parser_test.cc",
    "gotext/scratch": "logql/json_parser_test.cc",
    "http/async_client": "http/client_test.cc",
    "http/credentials": "http/client_test.cc",
    "http/curl_library": "http/client_test.cc",
    "http/exchange": "http/client_test.cc",
    "httpd/connection": "httpd/bounds_test.cc",
    "httpd/listener": "httpd/server_test.cc",
    "httpd/peer": "httpd/bounds_test.cc",
    "httpd/request_reader": "httpd/bounds_test.cc",
    "httpd/socket_peer": "httpd/websocket_test.cc",
    "httpd/tls_library": "httpd/tls_test.cc",
    "kube/watch_machine": "kube/resource_watch_test.cc",
    "logql/lexer_number": "logql/lexer_test.cc",
    "logql/parser_functions": "logql/parser_test.cc",
    "logql/parser_stages": "logql/parser_test.cc",
    "logql/query_words": "logql/advice_test.cc",
    "loki/limits": "loki/push_encoder_test.cc",
    "loki/push_body": "loki/push_encoder_test.cc",
    "loki/push_json": "loki/push_reader_test.cc",
    "loki/push_pages": "loki/pusher_size_test.cc",
    "loki/push_protobuf": "loki/push_reader_test.cc",
    "loki/push_taker": "loki/push_reader_test.cc",
    "loki/pusher_choice": "loki/pusher_test.cc",
    "loki/pusher_repair": "loki/pusher_trouble_test.cc",
    "loki/pusher_reply": "loki/pusher_trouble_test.cc",
    "loki/pusher_slow": "loki/pusher_trouble_test.cc",
    "names/level_fields": "names/level_test.cc",
    "pipeline/counters": "stages/books_test.cc",
    "pipeline/jsonl_sink": "pipeline/jsonl_stdio_test.cc",
    "cli/metrics_options": "e2e/metrics_test.py",
    "cli/spool_options": "e2e/spool_test.py",
    "monitor/reading": "monitor/endpoint_test.cc",
    "pipeline/jsonl_source": "pipeline/jsonl_stdio_test.cc",
    "pipeline/output_count": "pipeline/jsonl_stdio_test.cc",
    "record/dropped_positions": "stages/filter_test.cc",
    "record/jsonl_reader": "record/jsonl_test.cc",
    "record/jsonl_writer": "record/jsonl_test.cc",
    "ruler/map_reader": "ruler/rule_file_test.cc",
    "ruler/report": "ruler/survey_test.cc",
    "ruler/template_functions": "ruler/alert_template_test.cc",
    "ruler/unit_compare": "ruler/unit_run_test.cc",
    "rules/line_parser": "rules/parser_test.cc",
    "rules/query_mistakes": "rules/parser_test.cc",
    "rules/rule_lexis": "rules/parser_test.cc",
    "rules/value_reader": "rules/parser_test.cc",
    "scan/block_queue": "scan/ordered_scan_test.cc",
    "scan/block_search": "scan/spool_scan_test.cc",
    "scan/limits": "scan/ordered_scan_test.cc",
    "scan/log_matcher": "scan/spool_scan_test.cc",
    "scan/merge": "scan/ordered_scan_test.cc",
    "scan/sample_matcher": "scan/ordered_scan_test.cc",
    "scan/spool_set": "scan/spool_scan_test.cc",
    "scan/stream_sums": "scan/volume_test.cc",
    "serve/answers": "serve/query_api_test.cc",
    "serve/call": "serve/query_api_test.cc",
    "serve/context": "serve/view_test.cc",
    "serve/field_endpoints": "serve/query_api_test.cc",
    "serve/fixed_endpoints": "serve/query_api_test.cc",
    "serve/label_endpoints": "serve/query_api_test.cc",
    "serve/level_counts": "serve/view_test.cc",
    "serve/level_of": "serve/view_test.cc",
    "serve/line_objects": "serve/view_test.cc",
    "serve/log_pages": "serve/query_api_test.cc",
    "serve/range_endpoints": "serve/query_api_test.cc",
    "serve/store_status": "serve/view_test.cc",
    "serve/volume_endpoints": "serve/query_api_test.cc",
    "show/csv_writer": "show/row_writer_test.cc",
    "show/identity": "stages/output_sink_test.cc",
    "show/log_table": "show/row_writer_test.cc",
    "show/style": "show/line_writer_test.cc",
    "show/text_format": "stages/output_sink_test.cc",
    "show/text_writer": "stages/output_sink_test.cc",
    "show/top_table": "stages/top_test.cc",
    "convert/deciding_stages": "convert/pipeline_stages_test.cc",
    "convert/label_stages": "convert/pipeline_stages_test.cc",
    "convert/line_stages": "convert/pipeline_stages_test.cc",
    "convert/parsing_stages": "convert/pipeline_stages_test.cc",
    "stages/answer_source": "stages/query_test.cc",
    "stages/loki_answer": "stages/query_test.cc",
    "stages/loki_follow": "stages/follow_answer_test.cc",
    "stages/spool_answer": "stages/query_test.cc",
    "stages/spool_follow": "stages/follow_answer_test.cc",
    "stages/serve_site": "e2e/serve_test.py",
    "stages/serve_source": "stages/serve_test.cc",
    "stages/enrich_check": "stages/enrich_test.cc",
    "stages/pod_metrics": "stages/enrich_pods_test.cc",
    "spool/block_builder": "spool/block_test.cc",
    "spool/block_checksum": "spool/damage_test.cc",
    "spool/block_decoder": "spool/block_test.cc",
    "spool/checksum": "spool/recent_file_test.cc",
    "spool/compression": "spool/block_test.cc",
    "spool/disk_space": "spool/writer_test.cc",
    "spool/inspection": "stages/buffer_test.cc",
    "spool/lock_file": "spool/writer_test.cc",
    "spool/log_room": "spool/writer_test.cc",
    "spool/position_store": "spool/keeper_test.cc",
    "spool/positions_file": "spool/keeper_test.cc",
    "spool/raw_pages": "spool/damage_test.cc",
    "spool/reader": "spool/writer_test.cc",
    "spool/recent_places": "spool/consumer_test.cc",
    "spool/recent_state": "spool/recent_file_test.cc",
    "spool/rehearsal": "spool/administration_test.cc",
    "spool/rejected_store": "spool/rejected_test.cc",
    "spool/reserve": "spool/administration_test.cc",
    "spool/salvage": "spool/damage_test.cc",
    "spool/spool_file": "spool/administration_test.cc",
    "spool/stored_positions": "spool/keeper_test.cc",
    "spool/writer_maintenance": "spool/writer_test.cc",
    "spool/writer_recent": "spool/recent_file_test.cc",
    "spool/writer_release": "spool/release_test.cc",
    "spool/writer_room": "spool/writer_test.cc",
    "spool/writer_state": "spool/writer_test.cc",
    "spool/writer_stock": "spool/writer_test.cc",
    "sqlite/error": "sqlite/database_test.cc",
    "sqlite/migrations": "sqlite/database_test.cc",
    "sqlite/raw_file": "spool/damage_test.cc",
    "sqlite/statement": "sqlite/database_test.cc",
    "sqlite/still_vfs": "spool/copy_test.cc",
    "tail/decoder_foreign": "e2e/journal_test.py",
    "tail/journal_library": "e2e/journal_test.py",
    "tail/journal_reader": "e2e/journal_test.py",
    "stages/buffer_drain": "stages/buffer_test.cc",
    "stages/buffer_store": "stages/buffer_test.cc",
    "stages/push_check": "stages/push_test.cc",
    "stages/push_from_spool": "stages/push_spool_test.cc",
    "stages/rule_judge": "stages/filter_test.cc",
    "stages/spool_source": "stages/push_spool_test.cc",
    "stages/unmatched": "stages/replay_test.cc",
    "tail/known_files": "tail/watcher_test.cc",
    "tail/log_reader_loss": "tail/log_reader_test.cc",
    "tail/stream_input": "tail/streams_test.cc",
    "tail/watcher_filter": "stages/tail_pods_test.cc",
    "tail/watcher_find": "tail/watcher_test.cc",
}


def sources(root):
    """The C++ files, as paths below `root`."""
    for top in FOLDERS:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".cc", ".h"):
                yield path.relative_to(root)


def untested(root, tested_in):
    """One line for each lib file without a test, and for each entry of the table that says nothing true."""
    found = []
    names = {str(path.relative_to(root / "lib"))[:-3] for path in (root / "lib").glob("*/*.cc")}
    for name in sorted(names):
        own = (root / "tests" / f"{name}_test.cc").exists()
        if own and name in tested_in:
            found.append(f"lib/{name}.cc has a test of its name: take it out of the table")
        if not own and name not in tested_in:
            found.append(f"lib/{name}.cc has no tests/{name}_test.cc and stands not in the table")
    for name, test in sorted(tested_in.items()):
        if name not in names:
            found.append(f"lib/{name}.cc, which the table names, is not there")
        if not (root / "tests" / test).exists():
            found.append(f"tests/{test}, which the table names, is not there")
    return found


def too_long(root, paths):
    found = []
    for path in paths:
        for number, line in enumerate((root / path).read_text(encoding="utf-8").split("\n"), 1):
            if len(line) > COLUMNS:
                found.append(f"{path}:{number}: {len(line)} columns")
    return found


def formatter():
    """clang-format 14, or nothing."""
    for name in ("clang-format-14", "clang-format"):
        program = shutil.which(name)
        if program and " version 14." in subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout:
            return program
    return None


class House(unittest.TestCase):
    root = pathlib.Path(".")

    def test_every_file_has_a_test(self):
        self.assertEqual(untested(self.root, TESTED_IN), [])

    def test_no_line_is_too_long(self):
        self.assertEqual(too_long(self.root, sources(self.root)), [])

    def test_no_file_switches_the_format_off(self):
        self.assertEqual([str(path) for path in sources(self.root) if FORMAT_OFF in (self.root / path).read_text(encoding="utf-8")], [])

    def test_clang_format_changes_nothing(self):
        program = formatter()
        if program is None:
            print("SKIPPED: clang-format 14 is not installed, so the format is not checked", file=sys.stderr)
            self.skipTest("clang-format 14 is not installed")
        paths = [str(path) for path in sources(self.root)]
        done = subprocess.run([program, "--dry-run", "--Werror", *paths], cwd=self.root, capture_output=True, text=True, check=False)
        places = [line for line in done.stderr.split("\n") if "error:" in line]
        self.assertEqual((places, done.returncode), ([], 0))


class TheTestItself(unittest.TestCase):
    def setUp(self):
        import tempfile

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def put(self, name, text=""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_tests(self):
        self.put("lib/base/a.cc")
        self.assertEqual(len(untested(self.root, {})), 1)
        self.assertEqual(len(untested(self.root, {"base/a": "base/b_test.cc"})), 1)
        self.put("tests/base/b_test.cc")
        self.assertEqual(untested(self.root, {"base/a": "base/b_test.cc"}), [])
        self.assertEqual(len(untested(self.root, {"base/a": "base/b_test.cc", "base/c": "base/b_test.cc"})), 1)
        self.put("tests/base/a_test.cc")
        self.assertEqual(untested(self.root, {}), [])
        self.assertEqual(len(untested(self.root, {"base/a": "base/b_test.cc"})), 1)

    def test_columns(self):
        self.put("lib/new/a.cc", "x" * 132 + "\n" + "\u00fc" * 132)
        self.assertEqual(too_long(self.root, sources(self.root)), [])
        self.put("lib/new/b.h", "\n" + "x" * 133)
        self.assertEqual(too_long(self.root, sources(self.root)), ["lib/new/b.h:2: 133 columns"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: house_test.py ROOT")
    House.root = pathlib.Path(sys.argv.pop())
    unittest.main()
