"""benchmarks/growth.py: what it varies, and what it tells."""

import growth
from rich.console import Console

WORDS = "one two three four five six seven eight nine ten eleven".split()


def test_one_thing_varies_and_the_sentences_are_as_long_as_told():
    found = {}
    for what, value, batch, length in growth.cases(WORDS):
        assert max(map(len, batch)) <= length
        found.setdefault(what, []).append((value, batch, length))
    sums = {what: [sum(map(len, batch)) for _, batch, _ in rows] for what, rows in found.items()}
    assert sums["tokens of one sentence"] == [10, 100, 1_000, 5_000]
    assert sums["sentences of 20 tokens"] == [20, 160, 640, 2_560, 10_240]
    assert set(sums["places of each of 64 sentences of 20"]) == {1_280}
    assert set(sums["distinct words of 1,280"]) == {1_280}
    for value, batch, _ in found["distinct words of 1,280"]:
        assert len({word for words in batch for word in words}) == min(value, len(WORDS))
    assert sums["tokens of one sentence among 63 of 20"] == [1_280, 1_760, 6_260]


def test_the_table_and_the_picture(tmp_path):
    rows = [
        {"what": "tokens", "value": 10, "tokens": 10, "seconds": 0.5},
        {"what": "tokens", "value": 1_000, "tokens": 1_000, "seconds": 2.0},
        {"what": "a corpus", "value": 10, "tokens": 10, "seconds": 1.0, "peak_memory_mb": 1_234},
    ]
    console = Console(width=120, record=True)
    console.print(growth.table(rows))
    text = console.export_text()
    for part in ("1,000", "2,000.0", "500", "1,234 MB"):  # value, ms, tokens/s, memory
        assert part in text
    growth.draw(rows, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
