"""JSON whose numbers keep the digits that they are written with."""

from __future__ import annotations

import json
from typing import Any, Self


class Written(float):
    """A number that can be reckoned with, and is written as it was."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


# The functions of JMESPath know a number by what its class is called.
Written.__name__ = "float"


def whole(text: str) -> int | float:
    """For `parse_int` of a JSON decoder."""
    # Python refuses to read more digits than this, and knows no -0.
    return int(text) if len(text) < 4000 and text != "-0" else Written(text)


def broken(text: str) -> float:
    """For `parse_float` of a JSON decoder."""
    number = float(text)
    return number if repr(number) == text else Written(text)


def one_line(value: Any) -> str:
    """A value that a decoder made with `whole` and `broken`, as JSON in one line.

    RecursionError: it is too deep. ValueError: a number that was worked out is infinite, or none.
    """
    if isinstance(value, dict):
        return "{" + ",".join([f"{_ENCODED(name)}:{one_line(item)}" for name, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(one_line, value)) + "]"
    return value.text if isinstance(value, Written) else _ENCODED(value)


# Made once: `json.dumps` makes one for each value.
_ENCODED = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
