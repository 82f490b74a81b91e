"""Measures what the machine can do: the rates of matrix products, and memory bandwidth.

Run alone it prints one JSON object; `compare.py` runs it before and after its own measurements.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

# The products of an LSTM layer of the original model, (rows, 512) by (512, 16384): of all inputs
# with many rows, of a step with those of a batch, of a lone sentence's step with one.
ROWS = (1, 32, 128, 1024)
WEIGHTS = (512, 16384)
COPY_BYTES = 2**28


def best_seconds(action: Callable[[], object], repeats: int = 10) -> float:
    """Returns the time of the fastest of some runs, after one that is not timed."""
    action()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def matrix_product_gflops(rows: int, dtype: str) -> float:
    """Returns the rate of TensorFlow's matrix product on all cores, in GFLOP/s."""
    left = tf.cast(tf.random.normal((rows, WEIGHTS[0])), dtype)
    right = tf.cast(tf.random.normal(WEIGHTS), dtype)
    seconds = best_seconds(lambda: tf.matmul(left, right).numpy())
    return 2 * rows * WEIGHTS[0] * WEIGHTS[1] / seconds / 1e9


def copy_gb_per_second(threads: int) -> float:
    """Returns the bandwidth of copying memory, bytes read and written counted, in GB/s."""
    sources = [np.ones(COPY_BYTES // threads, np.uint8) for _ in range(threads)]
    targets = [np.zeros_like(source) for source in sources]
    with ThreadPoolExecutor(threads) as pool:
        seconds = best_seconds(lambda: list(pool.map(np.copyto, targets, sources)))
    return 2 * COPY_BYTES / seconds / 1e9


def measure() -> dict[str, Any]:
    """Returns all limits by name; rates of products by dtype, then by the number of rows."""
    return {
        "matrix_product_gflops": {
            dtype: {str(rows): round(matrix_product_gflops(rows, dtype), 1) for rows in ROWS}
            for dtype in ("float32", "bfloat16")
        },
        "copy_gb_per_second_one_core": round(copy_gb_per_second(1), 1),
        "copy_gb_per_second_all_cores": round(copy_gb_per_second(os.cpu_count() or 1), 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
