"""Several values in one word, with commas between."""

from __future__ import annotations

BRACKETS = {"[": "]", "{": "}"}


def between_commas(text: str) -> list[str]:
    """The values of a word, without the spaces around them; a list, a mapping and a quoted text are one each.

    Args:
        text: What stands after the ``=``.

    Example:
        >>> between_commas("gru, lstm"), between_commas("[1,2],[3]"), between_commas("'a,b'")
        (['gru', 'lstm'], ['[1,2]', '[3]'], ["'a,b'"])
    """
    values, closing, quote = [""], "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and (closing or not values[-1].strip()):
            quote = character
        elif character in BRACKETS and (closing or not values[-1].strip()):
            closing = BRACKETS[character] + closing
        elif closing and character == closing[0]:
            closing = closing[1:]
        elif character == "," and not closing:
            values.append("")
            continue
        values[-1] += character
    return [value.strip() for value in values]
