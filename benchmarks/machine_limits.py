"""Measures what the machine can do: the rate of a float32 matrix product, and memory bandwidth.

Run alone it prints one JSON object; `compare.py` runs it before and after its own measurements.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

# Rows, inner size and columns: the input product of an LSTM layer of the original model.
PRODUCT = (1024, 512, 16384)
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


def matrix_product_gflops() -> float:
    """Returns the rate of TensorFlow's float32 matrix product on all cores, in GFLOP/s."""
    rows, inner, columns = PRODUCT
    left = tf.random.normal((rows, inner))
    right = tf.random.normal((inner, columns))
    seconds = best_seconds(lambda: tf.matmul(left, right).numpy())
    return 2 * rows * inner * columns / seconds / 1e9


def copy_gb_per_second(threads: int) -> float:
    """Returns the bandwidth of copying memory, bytes read and written counted, in GB/s."""
    sources = [np.ones(COPY_BYTES // threads, np.uint8) for _ in range(threads)]
    targets = [np.zeros_like(source) for source in sources]
    with ThreadPoolExecutor(threads) as pool:
        seconds = best_seconds(lambda: list(pool.map(np.copyto, targets, sources)))
    return 2 * COPY_BYTES / seconds / 1e9


def measure() -> dict[str, float]:
    """Returns all limits by name."""
    return {
        "matrix_product_gflops": round(matrix_product_gflops(), 1),
        "copy_gb_per_second_one_core": round(copy_gb_per_second(1), 1),
        "copy_gb_per_second_all_cores": round(copy_gb_per_second(os.cpu_count() or 1), 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
