"""The tagger of keras_tagger.py from an exported ELMo, without elmo_tf2: Keras 3 and TFSMLayer.

elmo-tf2 export elmo_mini_en SAVED_MODEL
python examples/saved_model_tagger.py SAVED_MODEL FOLDER                 # trains, saves into FOLDER
python examples/saved_model_tagger.py SAVED_MODEL FOLDER --tag "Time flies ."  # uses what was saved
"""

import keras
import tensorflow as tf
from tagging import TAGS, TEST, TRAIN, batches, options, read_conllu, saved_tagger


def as_inputs(words, *rest):
    """What the exported ELMo takes: words and the number of them; the rest stays as it is."""
    lengths = tf.math.count_nonzero(words != "", axis=1, dtype=tf.int32)
    return {"tokens": words, "sequence_len": lengths}, *rest


def make_tagger(train, elmo=None):
    """A bidirectional LSTM over [E; ELMo], or over E alone."""
    keras.utils.set_random_seed(1)
    words = keras.Input((None,), dtype="string", name="tokens")  # (batch, tokens)
    inputs = {"tokens": words, "sequence_len": keras.Input((), dtype="int32", name="sequence_len")}
    lookup = keras.layers.StringLookup(mask_token="")
    lookup.adapt(train.map(lambda inputs, *rest: inputs["tokens"]))
    numbers = lookup(words)  # 0 for padding; a TFSMLayer has no mask
    vectors = keras.layers.Embedding(lookup.vocabulary_size(), 64)(numbers)
    if elmo is not None:
        vectors = keras.layers.Concatenate()([vectors, elmo(inputs)["elmo"]])
    vectors = keras.layers.Dropout(0.5)(vectors)
    lstm = keras.layers.LSTM(64, return_sequences=True)
    states = keras.layers.Bidirectional(lstm)(vectors, mask=keras.ops.not_equal(numbers, 0))
    model = keras.Model(inputs, keras.layers.Dense(len(TAGS), activation="softmax")(states))
    model.compile(
        keras.optimizers.Adam(5e-3),
        "sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],  # the weight of padding is 0
    )
    # Not left to `fit`, where Keras 3 stumbles over the names of a TFSMLayer's variables.
    model.optimizer.build(model.trainable_variables)
    return model


def train_and_save(given):
    """Trains with and without ELMo, and saves the tagger that has it."""
    sentences = read_conllu(given.train, given.sentences)
    train = batches(sentences, shuffle=True).map(as_inputs)
    test = batches(read_conllu(given.test, given.sentences)).map(as_inputs)
    path = str(given.saved_model.resolve())  # the saved tagger will name it
    elmo = keras.layers.TFSMLayer(path, call_endpoint="embed_tokens")
    print(f"Held-out words tagged rightly, after {len(sentences)} sentences to learn from:")
    for name, layer in (("without ELMo", None), ("with ELMo", elmo)):
        tagger = make_tagger(train, layer)
        tagger.fit(train, epochs=given.epochs, shuffle=False, verbose=0)
        _, accuracy = tagger.evaluate(test, verbose=0)
        print(f"  {name:12} {accuracy:.1%}", flush=True)
    (w,) = [weight for weight in elmo.weights if weight.name.endswith("mix_0_w:0")]
    shares = ", ".join(f"{share:.3f}" for share in keras.ops.softmax(w))
    print(f"Shares of ELMo's layers, the words' own first: {shares}")
    given.folder.mkdir(parents=True, exist_ok=True)
    tagger.save(given.folder / "tagger.keras")
    tagger.export(given.folder / "serving", verbose=False)
    print(
        f"Saved {given.folder / 'tagger.keras'}; for TensorFlow Serving {given.folder / 'serving'}"
    )


def tag(given):
    """Tags a sentence, its words apart by spaces, with a saved tagger."""
    # A TFSMLayer is code that someone else exported: Keras asks whether that is trusted.
    tagger = keras.models.load_model(saved_tagger(given.folder), safe_mode=False)
    words = given.tag.split()
    (best,) = tagger.predict(as_inputs(tf.constant([words]))[0], verbose=0).argmax(-1)
    print(*(f"{word}/{TAGS[number]}" for word, number in zip(words, best, strict=True)))


if __name__ == "__main__":
    given = options(__doc__, "saved_model", "folder", train=TRAIN, test=TEST, epochs=10, tag="")
    tag(given) if given.tag else train_and_save(given)
