"""The line protocol of the runners: one JSON object a line, commands in, answers out.

A runner is a script that hands a model class to `serve`. It is started inside the environment
of the implementation it measures, so this file runs on every Python from 3.7 on.

    {"command": "load", "model": FOLDER, "max_batch_size": 128}
    {"seconds": 7.1, "versions": {"bilm": "0.1.post5", "tensorflow": "1.15.5"}}
    {"command": "embed", "sentences": FILE, "batch_size": 32, "output": null}
    {"seconds": 64.2, "cpu_seconds": 121.5, "tokens": 12148, "peak_memory_mb": 2210}

A command that fails is answered by `{"error": "…"}`, and the process ends.
"""

import json
import os
import resource
import sys
import time
import traceback

import numpy as np

try:
    from importlib import metadata
except ImportError:  # Python 3.7
    import importlib_metadata as metadata


def peak_memory_mb():
    """Returns the largest resident size this process has had, in MiB.

    Linux starts `ru_maxrss` of a child at its parent's value, hence `/proc` where there is one.
    """
    try:
        with open("/proc/self/status", encoding="utf-8") as status:
            line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    except FileNotFoundError:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def embed(model, sentences, batch_size, output=None):
    """Embeds all sentences in the order given and measures it.

    Args:
        model: what `serve` was given, loaded.
        sentences: list of lists of tokens.
        batch_size: int > 0. Sentences a batch.
        output: path of a `.npy` file for `(layers, all tokens, features)`, the sentences' tokens
            one after another; or None. Gathering it is part of the time, so leave it out to
            measure.

    Returns:
        dict of `seconds`, `cpu_seconds` (of all threads), `tokens` and `peak_memory_mb`.
    """
    gathered = []
    start, cpu_start = time.perf_counter(), time.process_time()
    for first in range(0, len(sentences), batch_size):
        batch = sentences[first : first + batch_size]
        result = model.embed(batch)
        if output is not None:
            layers = model.layers(result)  # (batch, layers, tokens, features)
            gathered.extend(layers[i, :, : len(words)] for i, words in enumerate(batch))
        del result  # or two batches are in memory at once
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_start
    if output is not None:
        np.save(output, np.concatenate(gathered, axis=1).astype(np.float32))
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "tokens": sum(len(words) for words in sentences),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def read_sentences(path):
    """Returns the sentences of a file, one per line, as lists of tokens."""
    with open(path, encoding="utf-8") as lines:
        return [line.split() for line in lines]


def serve(model_class):
    """Answers commands until standard input ends.

    Args:
        model_class: class with `packages`, the names of the distributions whose versions are
            told; `model_class(folder, max_batch_size)`; `embed(sentences)`, which is timed and
            returns every layer in host memory; and `layers(result)`, which makes of that an
            array `(batch, layers, tokens, features)` without sentence boundaries.
    """
    # Libraries print to standard output: keep it for answers alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    model = None
    for line in sys.stdin:
        request = json.loads(line)
        command = request.pop("command")
        try:
            if command == "load":
                start = time.perf_counter()
                model = model_class(request["model"], request["max_batch_size"])
                versions = {name: metadata.version(name) for name in model_class.packages}
                answer = {"seconds": time.perf_counter() - start, "versions": versions}
            else:
                request["sentences"] = read_sentences(request["sentences"])
                answer = embed(model, **request)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "error" in answer:
            break
