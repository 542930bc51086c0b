"""The files of the page as the build put them into the program: read from the C++ file that it wrote."""
import pathlib
import re


def page_files(path, form="plain"):
    """{name: bytes} of page_files.cc; form: "plain" or "gzip"."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    names = re.findall(r'^ *\{"([^"]+)", ', text, re.M)
    arrays = re.findall(form + r"\d+\[\] = \{(.*?)\};", text, re.S)
    assert names and len(names) == len(arrays), path
    return {name: bytes(int(byte, 16) for byte in re.findall("0x(..)", array)) for name, array in zip(names, arrays)}
