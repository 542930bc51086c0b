#!/usr/bin/env python3
"""`weir docs` has every page and every file, each equal to the one of the tree; and the Markdown of a page says what its man page says.

usage: docs_test.py --weir BINARY --source FOLDER

groff and the reader of Markdown below come from different hands, so that a word that is lost, doubled or wrongly escaped is found.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

MARKDOWN_ESCAPES = r"\\([\\`*_<\]~#+\-.)>|=:])"


def spans(text):
    """(is code, text) in turn. A backslash outside of code takes the next character out of the game."""
    at = 0
    for match in re.finditer(r"\\.|(`+)(?!`)(.+?)(?<!`)\1(?!`)", text, re.S):
        if match.group(1) is None:
            continue
        yield False, text[at:match.start()]
        code = match.group(2)
        yield True, code[1:-1] if code.startswith(" ") and code.endswith(" ") and code.strip() else code
        at = match.end()
    yield False, text[at:]


def without_marks(text):
    """What a reader sees of Markdown outside of code."""
    text = re.sub(r"(?<!\\)\[([^]]*)\]\(([^)]*)\)", r"\1", text)
    text = re.sub(r"</?em>", "", text)
    text = re.sub(r"\\\n", "\n", text)
    text = re.sub(r"(?<!\\)\*", "", text)
    return re.sub(MARKDOWN_ESCAPES, r"\1", text).replace("&amp;", "&")


def blocks(page):
    """(kind, text): code, head or text."""
    fence, kept = None, []
    for line in page.splitlines():
        bare = line.strip()
        if fence is not None:
            if bare == fence:
                yield "code", "\n".join(kept)
                fence, kept = None, []
            else:
                kept.append(line)
        elif re.fullmatch(r"`{3,}", bare):
            if kept:
                yield "text", "\n".join(kept)
            fence, kept = bare, []
        elif not bare:
            if kept:
                yield "text", "\n".join(kept)
            kept = []
        elif re.match(r"#+ ", line):
            yield "head", line.lstrip("#").strip()
        else:
            kept.append(line)
    if kept:
        yield "text", "\n".join(kept)


def words_of_markdown(page):
    """Without the title, which groff prints into the head."""
    words = []
    title, *rest = blocks(page)
    assert title[0] == "head"
    for kind, text in rest:
        if kind == "code":
            words += text.split()
            continue
        text = re.sub(r"^\s*(- |(\d+\.) )", r"\2 ", text)
        seen = "".join(part if code else without_marks(part) for code, part in spans(text))
        words += seen.split()
    return words


def words_of_man(path):
    """As groff shows them in one very long line each, without head, foot and bullets."""
    shown = subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-P-cbou", "-rLL=20000n", "-rHY=0", "-rcR=1", "-dAD=l", path], check=True,
                           stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "GROFF_NO_SGR": "1"}).stdout.decode()
    lines = [line for line in shown.splitlines() if line.strip()]
    return " ".join(lines[1:-1]).replace("•", " ").replace("\u2010", "-").replace("\u00a0", " ").split()


class Docs(unittest.TestCase):
    weir, source = "", pathlib.Path()
    maxDiff = None

    def docs(self, *arguments):
        return subprocess.run([self.weir, "docs", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-docs-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for what in ("man", "markdown"):
            self.docs(what, "--dir", str(self.folder / what))
        self.pages = sorted(path.name for path in (self.source / "man").iterdir())

    def test_all_pages_are_there_and_equal_those_of_the_tree(self):
        self.assertGreater(len(self.pages), 20)
        self.assertEqual(sorted(path.name for path in (self.folder / "man").iterdir()), self.pages)
        self.assertEqual(sorted(path.name for path in (self.folder / "markdown").iterdir()), [name + ".md" for name in self.pages])
        for name in self.pages:
            kept = (self.source / "man" / name).read_text(encoding="utf-8")
            self.assertEqual((self.folder / "man" / name).read_text(encoding="utf-8"), kept, name)
            self.assertEqual(self.docs("man", name), kept, name)
            self.assertEqual(self.docs("markdown", name), (self.folder / "markdown" / (name + ".md")).read_text(encoding="utf-8"), name)

    def test_the_list_names_every_page_with_its_line(self):
        listed = dict(re.findall(r"^  (weir\S*\(\d\)) +(.+)$", self.docs("list"), re.M))
        self.assertEqual(self.docs(), self.docs("list"))
        wanted = {}
        for name in self.pages:
            text = (self.source / "man" / name).read_text(encoding="utf-8")
            page, section = name.rsplit(".", 1)
            wanted[f"{page}({section})"] = re.search(r"^\.SH NAME\n\S+ \\- (.*)$", text, re.M).group(1).replace("\\(aq", "'").replace("\\-", "-")
        self.assertEqual(listed, wanted)

    def test_weir_1_names_every_page(self):
        main = (self.source / "man" / "weir.1").read_text(encoding="utf-8").split(".SH SEE ALSO")[1]
        named = {f"{page}.{section}" for page, section in re.findall(r"^\.BR (\S+) \((\d)\)", main.replace("\\-", "-"), re.M)}
        self.assertEqual(named, set(self.pages) - {"weir.1"})

    def test_files_equal_those_of_the_tree(self):
        wanted = {("unit",): "systemd/weir.service", ("pipeline",): "systemd/node.weir", ("pipeline", "node"): "systemd/node.weir",
                  ("alerts",): "alerts/weir.rules.yml", ("alerts", "prometheus"): "alerts/weir.rules.yml",
                  ("alerts", "kubernetes"): "alerts/weir.prometheusrule.yaml", ("alerts", "loki"): "alerts/loki.rules.yml",
                  ("dashboard",): "dashboard/weir.json", ("rules",): "systemd/rules", ("rules", "node"): "systemd/rules"}
        for path in (self.source / "examples" / "pipelines").glob("*.*"):
            what = {".weir": "pipeline", ".rules": "rules"}.get(path.suffix)
            if what:
                wanted[(what, path.stem)] = f"pipelines/{path.name}"
        for words, path in wanted.items():
            self.assertEqual(self.docs(*words), (self.source / "examples" / path).read_text(encoding="utf-8"), words)
        listed = self.docs("list").split("Files:")[1]
        for words in wanted:
            self.assertIn(f"  {words[0]}", listed)
            if len(words) == 2 and words[1] not in ("node", "prometheus"):
                self.assertIn(f"  {words[0]} {words[1]} ", listed)

    def test_markdown_says_what_the_man_page_says(self):
        if shutil.which("groff") is None:
            self.skipTest("there is no groff")
        for name in self.pages:
            self.assertEqual(words_of_markdown((self.folder / "markdown" / (name + ".md")).read_text(encoding="utf-8")),
                             words_of_man(self.folder / "man" / name), name)

    def test_markdown_has_no_roff_and_no_dead_link(self):
        links = 0
        for name in self.pages:
            text = (self.folder / "markdown" / (name + ".md")).read_text(encoding="utf-8")
            self.assertTrue(text.startswith(f"# {name.rsplit('.', 1)[0]}({name[-1]})\n\n## NAME\n"), name)
            for kind, block in blocks(text):
                for code, part in spans(block) if kind != "code" else ():
                    if code:
                        continue
                    self.assertNotRegex(part, r"\\[f(&e\[]", name)
                    self.assertNotRegex(part, r"(?m)^\s*\.[A-Z]{2}\b", name)
                    for target in re.findall(r"(?<!\\)\]\(([^)]*)\)", part):
                        self.assertTrue((self.folder / "markdown" / target).is_file(), f"{name}: {target}")
                        links += 1
        self.assertGreater(links, len(self.pages))

    def test_references_are_to_pages_that_are_there(self):
        missing = set()
        for name in self.pages:
            text = (self.source / "man" / name).read_text(encoding="utf-8").replace("\\-", "-")
            for page, section in re.findall(r"\b(weir(?:-[a-z]+)*)(?:\\fR| )?\((\d)\)", text):
                if f"{page}.{section}" not in self.pages:
                    missing.add(f"{name} names {page}({section})")
        self.assertEqual(missing, set())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--weir", required=True, type=pathlib.Path)
    arguments.add_argument("--source", required=True, type=pathlib.Path)
    options, rest = arguments.parse_known_args()
    Docs.weir, Docs.source = str(options.weir.resolve()), options.source.resolve()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
