"""Makes every lock file in `files` again, with the tools that write them: `.venv/bin/python make_files.py`.

Run by hand, with PyPI in reach; it never runs in a test. Every tool family has its `make_*.py` beside this file.
"""

import subprocess
import sys
from pathlib import Path

SECONDS = 3600


def main():
    """Run every other `make_*.py` of this folder, one after the other."""
    for path in sorted(Path(__file__).parent.glob("make_*.py")):
        if path.name != Path(__file__).name:
            subprocess.run([sys.executable, str(path)], cwd=path.parent, timeout=SECONDS, check=True)


if __name__ == "__main__":
    main()
