"""A build backend that builds nothing."""


def build_wheel(*arguments, **named):
    raise RuntimeError("this cannot be built")
