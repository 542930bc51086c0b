#!/usr/bin/env python3
"""share/sbom/weir.spdx.json: SPDX 2.3 in its structure, and complete: each library that the loader brings, each whose headers are compiled in,
each that is loaded with dlopen."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import weir_kit as kit

BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"])
# What every C++ program is made with: none of it is a library that one would ask for.
TOOLCHAIN = re.compile(r"^(libc6-dev|linux-libc-dev|libcrypt-dev|libstdc\+\+-\d+-dev|libgcc-\d+-dev|libc\+\+.*)$")
LINKS = ("DESCRIBES", "DYNAMIC_LINK", "STATIC_LINK", "RUNTIME_DEPENDENCY_OF", "OPTIONAL_DEPENDENCY_OF")


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def packages_of(paths):
    """path → its Debian package. dpkg knows some files by /lib, some by /usr/lib."""
    names = {name: path for path in paths for name in (path, path.removeprefix("/usr"))}
    done = subprocess.run(["dpkg-query", "-S", *sorted(names)], capture_output=True, text=True, check=False)
    found = {}
    for line in done.stdout.splitlines():
        owners, _, name = line.partition(": ")
        if name in names and not line.startswith("diversion "):
            found[names[name]] = owners.split(",")[0].split(":")[0]
    return found


class Bill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (BUILD / "examples/sbom/weir.spdx.json").read_text()
        cls.bill = json.loads(cls.text)
        cls.packages = {package["SPDXID"]: package for package in cls.bill["packages"]}
        cls.by_name = {package["name"]: package for package in cls.bill["packages"]}
        cls.links = [(one["spdxElementId"], one["relationshipType"], one["relatedSpdxElement"]) for one in cls.bill["relationships"]]

    def test_the_document_has_what_spdx_asks_for(self):
        bill = self.bill
        self.assertEqual((bill["spdxVersion"], bill["dataLicense"], bill["SPDXID"]), ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"))
        version, commit = (line.split(maxsplit=1)[1] for line in kit.weir("--version").decode().splitlines()[:2])
        self.assertEqual(bill["name"], f"weir-{version}")
        self.assertRegex(bill["documentNamespace"], r"^https://[^ #]+$")
        self.assertIn(re.sub(r"[^A-Za-z0-9]", "-", commit), bill["documentNamespace"])
        self.assertRegex(bill["creationInfo"]["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for creator in bill["creationInfo"]["creators"]:
            self.assertRegex(creator, r"^(Person|Organization|Tool): .+")
        self.assertLessEqual(set(bill), {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "relationships"})

    def test_each_package_has_what_spdx_asks_for(self):
        self.assertEqual(len(self.packages), len(self.bill["packages"]), "two packages have one identifier")
        for package in self.bill["packages"]:
            with self.subTest(package["name"]):
                self.assertRegex(package["SPDXID"], r"^SPDXRef-[A-Za-z0-9.-]+$")
                self.assertRegex(package["versionInfo"], r"^\S.*$")
                self.assertNotIn("unknown", package["versionInfo"])
                self.assertRegex(package["supplier"], r"^(NOASSERTION|Organization: .+|Person: .+)$")
                self.assertIs(package["filesAnalyzed"], False)
                for name in ("downloadLocation", "licenseConcluded", "copyrightText"):
                    self.assertTrue(package[name], name)
                self.assertRegex(package["licenseDeclared"], r"^[A-Za-z0-9.-]+( (WITH|OR|AND) [A-Za-z0-9.-]+)*$")
                self.assertNotEqual(package["licenseDeclared"], "NOASSERTION")  # a new library: its licence belongs into cmd/components.cmake
                for reference in package.get("externalRefs", []):
                    self.assertEqual((reference["referenceCategory"], reference["referenceType"]), ("PACKAGE-MANAGER", "purl"))
                    self.assertRegex(reference["referenceLocator"], r"^pkg:deb/[a-z]+/[^@]+@[^@?]+\?arch=[a-z0-9]+$")

    def test_each_relation_joins_two_that_are_there(self):
        known = set(self.packages) | {"SPDXRef-DOCUMENT"}
        for start, kind, end in self.links:
            self.assertIn(kind, LINKS)
            self.assertLessEqual({start, end}, known)
        self.assertIn(("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Package-weir"), self.links)
        joined = {name for start, _, end in self.links for name in (start, end)}
        self.assertEqual(set(self.packages) - joined, set())

    def linked(self):
        """Debian packages of all that the loader brings, by ldd."""
        paths = [os.path.realpath(path) for path in re.findall(r"(/\S+) \(0x", output("ldd", kit.WEIR))]
        self.assertGreater(len(paths), 5)
        found = packages_of(paths)
        self.assertEqual(set(paths) - set(found), set(), "files of no Debian package")
        return set(found.values())

    def test_each_library_that_the_loader_brings_is_there(self):
        reached = {self.packages[end]["name"] for _, kind, end in self.links if kind == "DYNAMIC_LINK"}
        self.assertEqual(reached, self.linked())
        for name in reached:
            self.assertEqual(self.by_name[name]["versionInfo"], output("dpkg-query", "-W", "-f", "${Version}", f"{name}:{output('dpkg', '--print-architecture').strip()}"))
            self.assertEqual(self.by_name[name]["supplier"], "Organization: Debian")

    def test_each_library_whose_headers_are_compiled_in_is_there(self):
        if shutil.which("ninja") is None or not (BUILD / "build.ninja").exists():
            self.skipTest("only a build of ninja says which headers it read")
        # The objects of the program, and those of the libraries that it is linked of.
        headers, counts = set(), False
        for line in output("ninja", "-C", BUILD, "-t", "deps").splitlines():
            if line and not line.startswith(" "):
                counts = line.startswith(("lib/", "cmd/"))
            elif counts and line.startswith("    /usr/"):
                headers.add(os.path.normpath(line.strip()))
        found = packages_of(headers)
        used = {package for package in found.values() if not TOOLCHAIN.match(package)}
        table = {}
        for line in re.findall(r'^  "(.*)"', (SOURCE / "cmd/components.cmake").read_text(), re.M):
            _, how, package = line.rstrip(")").split("|")[:3]
            table[package] = how
        self.assertIn("libcli11-dev", used)
        self.assertEqual(used - set(table), set(), "compiled in, and not in cmd/components.cmake")
        wanted = {package for package in used if table[package] == "compiled"}
        self.assertEqual({self.packages[end]["name"] for _, kind, end in self.links if kind == "STATIC_LINK"}, wanted)

    def test_what_is_loaded_later_is_there(self):
        sources = "".join(path.read_text() for path in (SOURCE / "lib").rglob("*.cc"))
        self.assertEqual(len(re.findall(r"::dlopen\(", sources)), 1, "base::LateLibrary loads what is loaded later")
        self.assertEqual(len(re.findall(r"base::LateLibrary \w+\(", sources)), 3, "a new late library belongs into cmd/components.cmake")
        late = {(self.packages[start]["name"].rstrip("0123456789"), kind) for start, kind, _ in self.links if kind.endswith("_OF")}
        self.assertEqual(late, {("libcurl", "RUNTIME_DEPENDENCY_OF"), ("libsystemd", "OPTIONAL_DEPENDENCY_OF"), ("libssl", "OPTIONAL_DEPENDENCY_OF")})

    def test_the_version_names_the_same_libraries(self):
        said = kit.weir("--version").decode()
        linked = re.search(r"^linked: (.*)$", said, re.M).group(1).split(", ")
        compiled = re.search(r"^compiled in: (.*)$", said, re.M).group(1).split(", ")
        runtime = {"libstdc++6", "libgcc-s1", "libc6"}
        direct = {end for start, kind, end in self.links if kind == "DYNAMIC_LINK" and start == "SPDXRef-Package-weir"}
        self.assertEqual(len(linked), len({self.packages[end]["name"] for end in direct} - runtime))
        self.assertEqual(len(compiled), sum(kind == "STATIC_LINK" for _, kind, _ in self.links))
        self.assertNotIn("unknown version", said)

    def test_it_names_no_folder_of_this_machine(self):
        self.assertNotIn(str(SOURCE), self.text)
        self.assertNotIn(str(BUILD), self.text)


if __name__ == "__main__":
    if shutil.which("dpkg-query") is None:
        print("SKIPPED: only dpkg knows which package a library is of")
        sys.exit(77)
    unittest.main()
