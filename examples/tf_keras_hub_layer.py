"""A tagger in tf_keras with hub.KerasLayer: ELMo frozen, then fine-tuned.

elmo-tf2 export elmo_mini_en SAVED_MODEL --trainable all
python examples/tf_keras_hub_layer.py SAVED_MODEL

With `--trainable mix`, the default of `export`, fine-tuning changes the weighted sum alone. Needs
tf_keras, which tensorflow_hub installs: `hub.KerasLayer` is no layer of Keras 3.
"""

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras
from tagging import TAGS, TEST, TRAIN, accuracy, batches, options, read_conllu


def as_inputs(words, tags):
    """What the exported ELMo takes: words and the number of them; tags stay as they are."""
    lengths = tf.math.count_nonzero(words != "", axis=1, dtype=tf.int32)
    return {"tokens": words, "sequence_len": lengths}, tags


def make_tagger(elmo):
    """A bidirectional LSTM over ELMo's vectors."""
    tf_keras.utils.set_random_seed(1)
    words = tf_keras.Input((None,), dtype=tf.string, name="tokens")  # (batch, tokens)
    lengths = tf_keras.Input((), dtype=tf.int32, name="sequence_len")
    inputs = {"tokens": words, "sequence_len": lengths}
    vectors = tf_keras.layers.Dropout(0.5)(elmo(inputs)["elmo"])  # (batch, tokens, 384)
    lstm = tf_keras.layers.LSTM(64, return_sequences=True)
    # Padding is at the end, and what follows a sentence would be read backward into it.
    states = tf_keras.layers.Bidirectional(lstm)(vectors, mask=tf.sequence_mask(lengths))
    return tf_keras.Model(inputs, tf_keras.layers.Dense(len(TAGS), activation="softmax")(states))


def main(given):
    """Trains with ELMo frozen, then at a lower rate with ELMo too."""
    sentences = read_conllu(given.train, given.sentences)
    train = batches(sentences, shuffle=True).map(as_inputs)
    test = batches(read_conllu(given.test, given.sentences)).map(as_inputs)
    # One argument of the call is a tensor or, as here, a dictionary; the others are fixed here.
    arguments = {"signature": "tokens", "as_dict": True}
    elmo = hub.KerasLayer(str(given.saved_model), trainable=False, arguments=arguments)
    tagger = make_tagger(elmo)
    exported = elmo.resolved_object.variables
    loss = tf_keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    print(f"Held-out words tagged rightly, after {len(sentences)} sentences to learn from:")
    for name, trainable, rate in (("frozen", False, 5e-3), ("fine-tuned", True, 5e-4)):
        before = [variable.numpy() for variable in exported]
        elmo.trainable = trainable
        tagger.compile(tf_keras.optimizers.Adam(rate), loss)  # anew, or `trainable` has no effect
        tagger.fit(train, epochs=given.epochs, verbose=0)
        pairs = zip(before, exported, strict=True)
        moved = sum(not np.array_equal(old, new.numpy()) for old, new in pairs)
        print(f"  {name:10} {accuracy(tagger, test):.1%}", end="")
        print(f"   (of ELMo's {len(exported)} variables {moved} moved)", flush=True)


if __name__ == "__main__":
    main(options(__doc__, "saved_model", train=TRAIN, test=TEST, epochs=3))
