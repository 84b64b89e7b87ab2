"""tox-wheelfarm: a tox runner that installs exactly what was decided, from lock files or constraints.

tox loads `plugin`; `bootstrap` runs alone. It needs nothing of the farm, and never imports it.
"""
