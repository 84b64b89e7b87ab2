"""Metadata that only a build knows, from a build that is noisy and looks where it must not."""

import sys

from setuptools import setup

print("Metadata-Version: 9.9\nName: somebody-else\nRequires-Python: ==2.7.*")
sys.stderr.write("\x1b[2Junder way: \xff\n")
for path in ("/etc/wheelfarm-was-here", "/opt/wheelfarm/was-here", "/usr/bin/was-here"):
    try:
        with open(path, "w") as file:
            file.write("x")
    except OSError:
        continue
    raise SystemExit(f"{path} could be written")
name = "-".join(("dynamic", "metadata"))
setup(
    name=name,
    version=".".join(("4", "2")),
    python_requires=",".join((">=3.12", "<3.13")),
    extras_require={"te" + "st": ["iniconfig", "pytest"]},
    py_modules=["toy"],
)
