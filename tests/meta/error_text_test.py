#!/usr/bin/env python3
"""Holds that no code of lib/ and cmd/ branches on the text of an error: on Error::message, Error::hint or Error::cause().

usage: error_text_test.py ROOT
A text is for people and may be reworded. What code branches on is Error::code, Error::system, Error::text and Error::offset. Whether
there is a hint at all (`hint.empty()`) is no question about its words.
"""
import pathlib
import re
import sys
import tempfile
import unittest

TEXT = r"(?:\.|->)\s*(?:message|hint|cause\s*\(\s*\))"
LOOKS_INTO = (r"\s*\.\s*(?:find\w*|rfind|starts_with|ends_with|contains|substr|compare|at|front|back|data)\s*\(")
COMPARES = r"\s*(?:==|!=|<=>|\[)"
BRANCH = re.compile(f"{TEXT}(?:{LOOKS_INTO}|{COMPARES})|(?:==|!=)\\s*[\\w.>()-]*?\\w\\)?{TEXT}\\b(?!\\s*\\.)")
COMMENT = re.compile(r"//[^\n]*")
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def violations(root):
    """One line for each place that looks into the text of an error."""
    found = []
    for folder in ("lib", "cmd"):
        for path in sorted((pathlib.Path(root) / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            # Line by line would miss what is broken over two of them; the count of newlines stays.
            text = LITERAL.sub('""', COMMENT.sub("", path.read_text(encoding="utf-8")))
            for match in BRANCH.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(root)}:{line}: looks into the text of an error: {match.group(0).strip()}")
    return found


class ErrorText(unittest.TestCase):
    root = "."

    def test_nobody_branches_on_the_text_of_an_error(self):
        self.assertEqual(violations(self.root), [])


class TheTestItself(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory() as root:
            path = pathlib.Path(root) / "lib" / "stages" / "a.cc"
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
            return violations(root)

    def test_passes(self):
        for text in ("say(error.message);", "if (error.hint.empty()) return;", 'error.message = "a: " + error.message;',
                     "if (error.system == ENOENT) return;", '// error.message.find("x")', 'say("error.hint == x");',
                     "const std::string_view cause = error.cause();"):
            self.assertEqual(self.check(text), [], text)

    def test_fails(self):
        for text in ('if (error.message.starts_with("parse error")) return;', 'if (query.error().message == "x") return;',
                     "const auto at = error.hint.find('\\n');", 'if (result.error()\n      .message.find("a") > 0) return;',
                     'if (failed->hint != "b") return;', 'if (error.cause() == "Permission denied") return;',
                     "const char first = error.message[0];", 'if ("x" == error.message) return;'):
            self.assertEqual(len(self.check(text)), 1, text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    ErrorText.root = sys.argv.pop()
    unittest.main()
