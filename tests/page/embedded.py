"""The files of the page as the build put them into the program: read from the C++ file that it wrote."""
import re


def page_files(path):
    """{name: bytes} of page_files.cc."""
    text = open(path, encoding="utf-8").read()
    names = re.findall(r'^ *\{"([^"]+)", ', text, re.M)
    arrays = re.findall(r"plain\d+\[\] = \{(.*?)\};", text, re.S)
    assert names and len(names) == len(arrays), path
    return {name: bytes(int(byte, 16) for byte in re.findall("0x(..)", array)) for name, array in zip(names, arrays)}
