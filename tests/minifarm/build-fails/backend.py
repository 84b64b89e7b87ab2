"""A build backend that builds nothing."""


def build_wheel(*_arguments, **_named):
    raise RuntimeError("this cannot be built")
