"""Words of cells and places of delimiters, beside what plain Python says of the same bytes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hybridmandate.execution.services.spreadsheets.cell_bytes import TextBytes
from hybridmandate.execution.services.spreadsheets.dialect import Dialect
from hybridmandate.execution.services.spreadsheets.record_scan import scan_chunk


def number(piece: bytes) -> int:
    return int.from_bytes(piece, "little")


@pytest.mark.parametrize(
    "lengths", [range(9), range(17), range(40), [8], [16], [7, 8, 9], [0], [3, 40]]
)
def test_words_of_texts_are_their_bytes(lengths: range | list[int]) -> None:
    pick = random.Random(str(lengths))
    texts = [pick.randbytes(pick.choice(lengths)) for _ in range(200)]
    joined = b"".join(texts)
    cells = TextBytes.of_texts(joined, np.array([len(text) for text in texts]))
    for place in (0, 1, 2, 7, 8, 9, 16, 24):
        own = [number(text[place : place + 8]) for text in texts]
        assert cells.own_bytes(place).tolist() == own
        assert cells.own_bytes(place, 3).tolist() == [word & 0xFFFFFF for word in own]
    behind = joined + bytes(64)
    starts = np.cumsum([0, *map(len, texts)]).tolist()
    for place in range(9):
        pieces = [behind[at + place : at + place + 8] for at in starts[:-1]]
        assert cells.word_at(place).tolist() == [number(piece) for piece in pieces]
    high, low = cells.last_words()
    padded = [bytes(16) + text for text in texts]
    assert low.tolist() == [number(text[-8:]) for text in padded]
    assert high.tolist() == [number(text[-16:-8]) for text in padded]
    at = np.arange(0, 200, 3)
    assert cells.at(at).own_bytes(0).tolist() == [number(text[:8]) for text in texts[::3]]


def test_places_of_delimiters_are_known_where_all_lines_have_as_many() -> None:
    pick = random.Random(5)
    # Long enough for lines to lie across the blocks that are looked at together.
    lines = [b";".join(pick.randbytes(pick.randint(0, 9)).hex().encode() for _ in range(4))
             for _ in range(12_000)]  # fmt: skip
    data = b"\n".join(lines) + b"\n"
    scanned = scan_chunk(data, Dialect(";"), final=True)
    assert scanned.delimiters is not None
    starts = np.cumsum([0, *(len(line) + 1 for line in lines)])[:-1]
    assert scanned.starts.tolist() == starts.tolist()
    assert scanned.ends.tolist() == [a + len(b) for a, b in zip(starts, lines, strict=True)]
    expected = [n for n, byte in enumerate(data) if byte == ord(";")]
    assert scanned.delimiters.T.ravel().tolist() == expected


@pytest.mark.parametrize(
    "data",
    [
        b"a;b\nc\nd;e;f\n",  # as many on the whole, not in each line
        b"a;b\n;c;\n\n",
        b"a;b\nc;d",
        b'a;b\n"c";d\n',
        b"a\nb\n",
        b"a;b\n" * 40_000 + b"a;b;c\na\n",
    ],
)
def test_places_of_delimiters_are_not_told_of_other_chunks(data: bytes) -> None:
    scanned = scan_chunk(data, Dialect(";"), final=True)
    assert scanned.delimiters is None
    assert len(scanned.starts) == len(data.splitlines())
