"""benchmarks/merged_leak.py: what nobody can know is learned from next words, not from masked."""

import pytest
from merged_leak import main


@pytest.mark.slow
def test_next_words_leak_and_masked_words_do_not(capsys):
    main(["--updates", "100", "--words", "20"])
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    entropy = float(told[0][-1])
    next_word, masked = map(float, told[-1][1:])
    assert entropy == pytest.approx(2.9957, abs=1e-3)  # log 20
    assert next_word < 0.8 * entropy  # below which no honest loss is
    # of the 2,900 words that 50 updates mask the mean loss is within 0.03 of the entropy
    assert masked > entropy - 0.03
