"""A few seconds of `tests/fuzz.py`; more of them: ELMO_TF2_FUZZ_SECONDS=120, or its own command."""

import os
import time

import pytest

from tests.processes import run_python

pytestmark = pytest.mark.slow


def test_damaged_files_kills_and_odd_values_lose_nothing():
    seconds = os.environ.get("ELMO_TF2_FUZZ_SECONDS", "4")
    seed = os.environ.get("ELMO_TF2_FUZZ_SEED", str(time.time_ns() % 10**9))
    # A process of its own: a damaged file must not end the tests.
    result = run_python("-m", "tests.fuzz", "--seconds", seconds, "--seed", seed)
    print(result.stdout)
    assert result.returncode == 0, (
        f"seed {seed}: {result.stdout[-5_000:]}\n{result.stderr[-5_000:]}"
    )
    assert f"seed {seed}" in result.stdout
    assert all(f" {kind}" in result.stdout for kind in ("bytes", "flips", "kills", "values"))
