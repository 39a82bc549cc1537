"""Small valid files made wrong: bytes and lines flipped, put in, left out, doubled, cut off, or nonsense."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

NONSENSE = [  # what readers of text stumble over: numbers, signs, paths, encodings, nesting
    *(
        b"0",
        b"-1",
        b"00",
        b"1e400",
        b"nan",
        b"-inf",
        b"1_0",
        "٣".encode(),
        "²".encode(),
        b"9" * 30,
        b"9" * 5000,
    ),
    *(b"", b" ", b"\t", b"\n\n", b"\r", b"\r\n", b"\x00", b"\x0b", b"\x1c", b"\x1a", b'"', b"'", b"\\", b"#"),
    *(
        b"(",
        b")",
        b"[",
        b"]",
        b"{",
        b"}",
        b":",
        b",",
        b"=",
        b"-",
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
    ),
    *(b"null", b"true", b"[]", b"{}", b"[" * 3000, b"{a: " * 3000, b"(0 " * 3000, b'{"a":' * 3000),
    *(b"../../etc/passwd", b"/etc/passwd", b"..", b".", b"~", b"C:\\x", b"a/" * 600, b"x" * 300, b"\\ud800"),
    *(
        "\ufeff\u00a0\u2028\u0085\u200b\u0301\U0001f600".encode(),
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"<unk>",
        b"<eos>",
    ),
    *(b"<br />", b"-DOCSTART-", b"B-", b"I-PER", b"%s{}", b"\x1b[2J", b"data:image/png;base64,AAAA"),
]
MOST = 4  # changes of one input

Files = dict[str, bytes]
Change = Callable[[bytes, Random], bytes]


def mutated(seed: Mapping[str, bytes], random: Random) -> Files:
    """The files with one of them, or two, changed in a few ways; now and then one is missing or swapped."""
    files = dict(seed)
    for name in random.sample(sorted(files), min(len(files), random.choice((1, 1, 2)))):
        if random.random() < 0.02 and len(files) > 1:
            del files[name]
        elif random.random() < 0.05:
            files[name] = seed[random.choice(sorted(seed))]
        else:
            files[name] = changed(files[name], random)
    return files


def changed(content: bytes, random: Random) -> bytes:
    """One to four changes after another."""
    for _ in range(random.randint(1, MOST)):
        content = random.choice(CHANGES)(content, random)
    return content


def _flip(content: bytes, random: Random) -> bytes:
    if not content:
        return content
    place, changed = random.randrange(len(content)), bytearray(content)
    changed[place] ^= 1 << random.randrange(8)
    return bytes(changed)


def _insert(content: bytes, random: Random) -> bytes:
    place = random.randint(0, len(content))
    return content[:place] + random.randbytes(random.randint(1, 4)) + content[place:]


def _delete(content: bytes, random: Random) -> bytes:
    start, stop = _slice(content, random)
    return content[:start] + content[stop:]


def _double(content: bytes, random: Random) -> bytes:
    start, stop = _slice(content, random)
    return content[:stop] + content[start:stop] * random.choice((1, 2, 50)) + content[stop:]


def _truncate(content: bytes, random: Random) -> bytes:
    return content[: random.randint(0, len(content))]


def _splice(content: bytes, random: Random) -> bytes:
    """A piece of the file at another place of it."""
    start, stop = _slice(content, random)
    place = random.randint(0, len(content))
    return content[:place] + content[start:stop] + content[place:]


def _say_nonsense(content: bytes, random: Random) -> bytes:
    """A word of the file, or a place between two, becomes nonsense."""
    start, stop = random.choice((_word(content, random), (random.randint(0, len(content)),) * 2))
    return content[:start] + random.choice(NONSENSE) + content[stop:]


def _lines(content: bytes, random: Random) -> bytes:
    """Lines change places, are doubled or left out."""
    lines = content.splitlines(keepends=True) or [b""]
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            del lines[one]
        case 3:
            lines[one] = lines[one].rstrip(b"\n") + lines[other]
    return b"".join(lines)


CHANGES: Sequence[Change] = (
    _flip, _insert, _delete, _double, _truncate, _splice, _say_nonsense, _say_nonsense, _lines,
)  # fmt: skip


def _slice(content: bytes, random: Random, longest: int = 64) -> tuple[int, int]:
    start = random.randint(0, len(content))
    return start, min(len(content), start + random.randint(0, longest))


def _word(content: bytes, random: Random) -> tuple[int, int]:
    """The places around a run of letters and digits."""
    start = stop = random.randint(0, len(content))
    while start and content[start - 1 : start].isalnum():
        start -= 1
    while content[stop : stop + 1].isalnum():
        stop += 1
    return start, stop
