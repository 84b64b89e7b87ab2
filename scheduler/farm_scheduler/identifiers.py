"""Short random names of rows: `r-7f3k2m9q`.

Called by runs and jobs when a row is made. Never derived from a name or a time: an id tells nothing.
"""

import secrets

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Digits and letters that a person does not take for one another."""

LENGTH = 8


def new_id(kind: str) -> str:
    """A fresh id: `kind`, a hyphen and eight random characters (about 39 bits)."""
    return kind + "-" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
