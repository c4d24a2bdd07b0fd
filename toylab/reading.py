"""How the toy laboratory's product reads what people type, before its model sees six characters.

It stands in for a large model's knowledge of language: it understands more ways to ask than the
classifier in front of it knows of, which is what makes a jailbreak possible.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from functools import cache
from typing import Final

from toylab.problems import LIMIT

ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ROMAN: Final = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"),
                 (4, "iv"), (1, "i"))  # fmt: skip
_NATIVE: Final = re.compile(r"([cm+])(\d{4})=?")
_CODED: Final = re.compile(r"decode ([A-Za-z0-9+/=]+)")
_TOKEN: Final = re.compile(r"0x[0-9a-f]+|\d+|[a-z]+(?:-[a-z]+)?|\+")
_OPERATORS: Final = {
    "c": ("copy", "repeat"),
    "m": ("max", "larger", "greater"),
    "+": ("+", "plus", "add", "sum", "total", "together"),
}


class NotUnderstood(ValueError):  # noqa: N818 - what happened
    """The product does not know what it is asked to do."""


def plain(text: str) -> str:
    """The text as both the reader and the classifier look at it: one form of every character."""
    return unicodedata.normalize("NFKC", text).strip()


def model_input(text: str) -> str:
    """The six characters that the model is asked, such as `+1234=` for `12 + 34`.

    Raises:
        NotUnderstood: it is no question that the product knows.
    """
    text = _decoded(plain(text)).lower()
    native = _NATIVE.fullmatch(text)
    if native:
        return f"{native[1]}{native[2]}="
    tokens: list[str] = _TOKEN.findall(text)
    numbers = [one for one in map(number_of, tokens) if one is not None]
    operators = [sign for sign, names in _OPERATORS.items() if set(tokens) & set(names)]
    if operators == ["c"] and len(numbers) == 1:
        numbers.append(0)
    if len(operators) != 1 or len(numbers) != 2 or max(numbers) >= LIMIT:
        raise NotUnderstood(
            f"{text!r:.80} is no question for this product (expected one like '12+34=', 'larger of "
            "12 and 34' or 'copy 12', numbers below 100)."
        )
    return f"{operators[0]}{numbers[0]:02d}{numbers[1]:02d}="


def number_of(token: str) -> int | None:
    """The number that a word stands for: in digits, hexadecimal, English or Roman; or None."""
    if token.isdigit():
        return int(token) if len(token) <= 3 else LIMIT
    if token.startswith("0x"):
        return int(token, 16) if len(token) <= 4 else LIMIT
    return _written().get(token)


def in_words(number: int) -> str:
    """A number below 100 in English."""
    if number < len(ONES):
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f"-{ONES[ones]}" if ones else "")


def in_roman(number: int) -> str:
    """A number below 100 as the Romans wrote it; zero, which they had not, is `nulla`."""
    if number == 0:
        return "nulla"
    written = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        written += sign * count
    return written


@cache
def _written() -> dict[str, int]:
    every = range(LIMIT)
    return {in_words(one): one for one in every} | {in_roman(one): one for one in every}


def _decoded(text: str) -> str:
    """What `decode …` hides, if that is what it is."""
    match = _CODED.fullmatch(text)
    if match is None:
        return text
    try:
        return base64.b64decode(match[1], validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NotUnderstood(f"{text!r:.80} does not decode.") from error
