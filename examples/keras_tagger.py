"""A part-of-speech tagger in Keras 3: ELMo beside the task's own word embedding.

python examples/keras_tagger.py FOLDER                              # trains, saves into FOLDER
python examples/keras_tagger.py FOLDER --tag "The old man the boat ."  # uses what was saved
"""

import keras
import tensorflow as tf
from tagging import TAGS, TEST, TRAIN, batches, options, read_conllu, saved_tagger

from elmo_tf2 import ElmoEmbeddings


def make_tagger(train, elmo=None):
    """A bidirectional LSTM over [E; ELMo], or over E alone."""
    keras.utils.set_random_seed(1)
    words = keras.Input((None,), dtype="string")  # (batch, tokens), padded with ""
    lookup = keras.layers.StringLookup(mask_token="")
    lookup.adapt(train.map(lambda words, tags, weights: words))
    vectors = keras.layers.Embedding(lookup.vocabulary_size(), 64, mask_zero=True)(lookup(words))
    if elmo is not None:
        vectors = keras.layers.Concatenate()([vectors, elmo(words)])  # (batch, tokens, 64 + 384)
    vectors = keras.layers.Dropout(0.5)(vectors)
    lstm = keras.layers.LSTM(64, return_sequences=True)
    states = keras.layers.Bidirectional(lstm)(vectors)
    model = keras.Model(words, keras.layers.Dense(len(TAGS), activation="softmax")(states))
    model.compile(
        keras.optimizers.Adam(5e-3),
        "sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],  # the weight of padding is 0
    )
    return model


def train_and_save(given):
    """Trains with and without ELMo, and saves the tagger that has it."""
    sentences = read_conllu(given.train, given.sentences)
    train = batches(sentences, shuffle=True)
    test = batches(read_conllu(given.test, given.sentences))
    # Its encoder stays as it is; the weighted sum of its layers learns with the tagger.
    elmo = ElmoEmbeddings.from_preset("elmo_mini_en")
    print(f"Held-out words tagged rightly, after {len(sentences)} sentences to learn from:")
    for name, layer in (("without ELMo", None), ("with ELMo", elmo)):
        tagger = make_tagger(train, layer)
        tagger.fit(train, epochs=given.epochs, shuffle=False, verbose=0)
        _, accuracy = tagger.evaluate(test, verbose=0)
        print(f"  {name:12} {accuracy:.1%}", flush=True)
    shares = ", ".join(f"{share:.3f}" for share in elmo.layer_weights)
    print(f"Shares of ELMo's layers, the words' own first: {shares}")
    given.folder.mkdir(parents=True, exist_ok=True)
    tagger.save(given.folder / "tagger.keras")
    tagger.export(given.folder / "serving", verbose=False)
    print(
        f"Saved {given.folder / 'tagger.keras'}; for TensorFlow Serving {given.folder / 'serving'}"
    )


def tag(given):
    """Tags a sentence, its words apart by spaces, with a saved tagger."""
    # Keras knows the layer by the import of ElmoEmbeddings.
    tagger = keras.models.load_model(saved_tagger(given.folder))
    words = given.tag.split()
    (best,) = tagger.predict(tf.constant([words]), verbose=0).argmax(-1)
    print(*(f"{word}/{TAGS[number]}" for word, number in zip(words, best, strict=True)))


if __name__ == "__main__":
    given = options(__doc__, "folder", train=TRAIN, test=TEST, epochs=10, tag="")
    tag(given) if given.tag else train_and_save(given)
