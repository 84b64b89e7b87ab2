"""Where pyenv keeps its Pythons on this machine: PYENV_ROOT, or below the home of the account.

The account's and not HOME's, which is an empty folder where a fresh start is tried. Nothing is installed here.
"""

import os
import pwd
from pathlib import Path

VERSIONS = (
    Path(os.environ.get("PYENV_ROOT") or Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv") / "versions"
)
