"""Lock files of every tool: read, held against the project, and reduced to the set for one interpreter.

Called by the installer. It never installs, never asks an index and never runs another program.
"""
