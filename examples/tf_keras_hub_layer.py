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
from tagging import TAGS, TEST, TRAIN, batches, options, read_conllu


def as_inputs(words, *rest):
    """What the exported ELMo takes: words and the number of them; the rest stays as it is."""
    lengths = tf.math.count_nonzero(words != "", axis=1, dtype=tf.int32)
    return {"tokens": words, "sequence_len": lengths}, *rest


def make_tagger(elmo):
    """A classifier of each word's vector, which knows the word's context already."""
    tf_keras.utils.set_random_seed(1)
    inputs = {
        "tokens": tf_keras.Input((None,), dtype=tf.string, name="tokens"),  # (batch, tokens)
        "sequence_len": tf_keras.Input((), dtype=tf.int32, name="sequence_len"),
    }
    vectors = tf_keras.layers.Dropout(0.5)(elmo(inputs)["elmo"])  # (batch, tokens, 384)
    tags = tf_keras.layers.Dense(len(TAGS), activation="softmax")(vectors)
    return tf_keras.Model(inputs, tags)


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
    print(f"Held-out words tagged rightly, after {len(sentences)} sentences to learn from:")
    for name, trainable, rate in (("frozen", False, 5e-3), ("fine-tuned", True, 5e-4)):
        before = [variable.numpy() for variable in exported]
        elmo.trainable = trainable
        tagger.compile(  # anew, or `trainable` has no effect
            tf_keras.optimizers.Adam(rate),
            "sparse_categorical_crossentropy",
            weighted_metrics=["accuracy"],  # `metrics` would count padding
        )
        tagger.fit(train, epochs=given.epochs, verbose=0)
        pairs = zip(before, exported, strict=True)
        moved = sum(not np.array_equal(old, new.numpy()) for old, new in pairs)
        _, accuracy = tagger.evaluate(test, verbose=0)
        print(f"  {name:10} {accuracy:.1%}   ({moved} of ELMo's {len(exported)} variables moved)")


if __name__ == "__main__":
    main(options(__doc__, "saved_model", train=TRAIN, test=TEST, epochs=3))
