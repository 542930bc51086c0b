#!/usr/bin/env python3
"""Holds what the build embeds against the files of the tree: it may leave out comments and spaces, and must not change anything else.

usage: embedded_test.py ROOT PAGE_FILES_CC
"""
import pathlib
import re
import sys
import unittest

import embedded

# Strings, templates and regular expressions; comments, so that their quotes do not count; the rest word by word.
WORDS = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`"""
                   r"""|(?:(?<=[(,=:?&|!>] )|(?<=[(,=:?&|!>]))/(?![*/])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\]|\\.)*\])+/[a-z]*"""
                   r"""|[\w$]+|[^\s\w]""", re.S)


def words(text):
    found = [word for word in WORDS.findall(text) if not word.startswith(("//", "/*"))]
    # Inside of a template there is code again.
    found = [re.sub(r"\$\{[^}]*\}", lambda code: code.group().replace(" ", ""), word) if word[0] == "`" else word for word in found]
    # A semicolon before a brace says nothing.
    return [word for word, following in zip(found, found[1:] + [""]) if not (word == ";" and following == "}")]


class Embedded(unittest.TestCase):
    def test_only_comments_and_spaces_are_left_out(self):
        tree = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "lib/serve/page").iterdir()}
        files = embedded.page_files(PAGE_FILES)
        self.assertEqual(sorted(files), sorted(tree))
        for name, text in tree.items():
            for one, other in zip(words(text), words(files[name].decode())):
                self.assertEqual(one, other, name)
            self.assertEqual(len(words(text)), len(words(files[name].decode())), name)
            self.assertLessEqual(len(files[name]), len(text.encode()), name)

    def test_the_test_itself(self):
        self.assertEqual(words('f(a, "b, c", `d = e`, /"f, g"/);  // "h\n}'), ["f", "(", "a", ",", '"b, c"', ",", "`d = e`", ",", '/"f, g"/', ")", "}"])
        self.assertNotEqual(words('"a, b"'), words('"a,b"'))

    def test_all_of_it_is_under_60_kilobytes(self):
        sizes = {name: len(data) for name, data in embedded.page_files(PAGE_FILES).items()}
        print(f"the page has {sum(sizes.values())} bytes: {sizes}")
        self.assertLess(sum(sizes.values()), 60 << 10)


if __name__ == "__main__":
    ROOT, PAGE_FILES = pathlib.Path(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1])
