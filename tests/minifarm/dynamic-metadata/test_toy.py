import sys

import iniconfig
import pytest
import toy


def test_the_computed_extra_is_installed():
    assert iniconfig.IniConfig
    assert pytest


def test_the_computed_python_is_used():
    assert sys.version_info[:2] == (3, 12)
    assert toy.ANSWER == 42
