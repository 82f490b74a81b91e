"""A merged biLM that learns from next words cheats; one that learns from masked words does not.

In a text of words drawn at random, each equally likely, nobody can know a word from the others: no
honest loss is below the entropy of a word, the logarithm of their number. From its second layer on
a merged biLM reads both directions: at a word, the layer below has seen the next. Its next-word
loss falls to nothing. Of a masked word there is nothing to be seen.

    $ python benchmarks/merged_leak.py
    entropy of a word 3.912
    updates  next-word loss  masked-word loss
         50           3.865             3.960
        100           2.266             3.939
        150           1.156             3.934
        200           0.739             3.929
        250           0.501             3.925
        300           0.325             3.922
"""

import argparse
import math
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data import Masking, Vocabulary, training_windows
from elmo_tf2.layers.ragged import from_padded
from elmo_tf2.models import MaskedLanguageModel

ROWS, STEPS, EPOCH = 32, 12, 50


class NextWordModel(MaskedLanguageModel):
    """A merged biLM with the loss of a `LanguageModel`, which refuses it."""

    def call(self, inputs: dict, training: bool = False) -> tf.Tensor:
        targets = inputs["targets"]
        char_ids = inputs["char_ids"]
        mask = tf.fill(tf.shape(targets), True)
        gradient = "store" if training else "recompute"
        words = from_padded(char_ids, mask)
        output = self.bilm.encode(words, gradient=gradient, add_bos_eos=False).padded(mask)
        forward, backward = output.forward[-1][:, :-1], output.backward[-1][:, 1:]
        none = tf.zeros_like(forward)  # of the other direction, which has numbers of its own
        vectors = tf.concat(
            [tf.concat([forward, none], axis=2), tf.concat([none, backward], axis=2)], axis=1
        )
        neighbours = tf.concat([targets[:, 1:], targets[:, :-1]], axis=1)
        vectors = tf.reshape(vectors, [-1, self.config.softmax_dim])
        return self.softmax(vectors, tf.reshape(neighbours, [-1]))


def losses(model: MaskedLanguageModel, windows: tf.data.Dataset, updates: int) -> list[float]:
    """Trains a model and returns its mean losses of every 50 updates."""
    model.compile(keras.optimizers.Adam(0.005, global_clipnorm=10.0))
    epochs = updates // EPOCH
    history = model.fit(windows, epochs=epochs, steps_per_epoch=EPOCH, shuffle=False, verbose=0)
    return history.history["loss"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints both curves."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", type=Path, help="a text to learn instead of random words")
    parser.add_argument("--words", type=int, default=50, help="number of distinct words")
    parser.add_argument("--merge", choices=["add", "concat"], default="add")
    parser.add_argument("--updates", type=int, default=300)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        text = args.text or Path(folder, "random.txt")
        if args.text is None:
            generator = random.Random(1)
            drawn = (f"w{generator.randrange(args.words):02}" for _ in range(200_000))
            text.write_text(" ".join(drawn), encoding="utf-8")
        counts = Counter(text.read_text(encoding="utf-8").split())
        known = dict(counts.most_common(args.words))
        unknown = counts.total() - sum(known.values())
        shares = [count / counts.total() for count in (*known.values(), unknown) if count]
        entropy = -sum(share * math.log(share) for share in shares)
        words = ["<S>", "</S>", "<UNK>", *known]
        sizes = {"filters": ((1, 16), (2, 16), (3, 16)), "units": 64}
        sizes |= {"projection_dim": 32, "num_highway_layers": 1}
        config = ElmoConfig(**sizes, architecture="merged", merge=args.merge)
        curves = []
        unmasked = Masking(random_rate=0.0, kept_rate=1.0)
        for kind, masking in ((NextWordModel, unmasked), (MaskedLanguageModel, Masking())):
            keras.utils.set_random_seed(1)
            model = kind(config, len(words), ROWS, dropout=0.0, num_negatives=None)
            windows = training_windows([text], Vocabulary(words), ROWS, STEPS, masking=masking)
            curves.append(losses(model, windows, args.updates))
    print(f"entropy of a word {entropy:.3f}")
    print("updates  next-word loss  masked-word loss")
    for number, (next_word, masked) in enumerate(zip(*curves, strict=True), start=1):
        print(f"{number * EPOCH:7} {next_word:15.3f} {masked:17.3f}")


if __name__ == "__main__":
    main()
