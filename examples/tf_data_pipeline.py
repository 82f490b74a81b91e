"""Text to batches of ELMo's vectors by tf.data: bucketed by length, padded, prefetched.

Made as they are needed, with TensorFlow and tensorflow_hub alone:

elmo-tf2 export elmo_mini_en SAVED_MODEL
python examples/tf_data_pipeline.py SAVED_MODEL

Or made once and read as often as one likes, which pays from the second epoch on:

sed -n 's/^# text = //p' examples/data/test.conllu > text.txt
elmo-tf2 embed elmo_mini_en text.txt vectors.tfrecord --layers mix
python examples/tf_data_pipeline.py vectors.tfrecord
"""

import time
from collections import Counter

import tensorflow as tf
import tensorflow_hub as hub
from tagging import TEST, options, read_conllu

# Of up to 8, 16, 32 words and more; a batch of each has about as many words.
BOUNDARIES, BATCH_SIZES = (9, 17, 33), (64, 32, 16, 8)


def bucketed(dataset):
    """Padded batches of sentences that are of like length."""
    return dataset.bucket_by_sequence_length(
        lambda sentence: sentence["sequence_len"], BOUNDARIES, BATCH_SIZES
    )


def from_text(path, texts):
    """The vectors of running text, by an exported ELMo: its own tokenizer makes the words."""
    elmo = hub.load(str(path))
    sentences = tf.data.Dataset.from_tensor_slices(texts).batch(256).map(elmo.tokenize).unbatch()
    sentences = sentences.map(
        lambda sentence: {**sentence, "tokens": sentence["tokens"][: sentence["sequence_len"]]}
    )

    def embed(batch):
        outputs = elmo.embed_tokens(batch)
        return {"vectors": outputs["elmo"], "sequence_len": outputs["sequence_len"]}

    return bucketed(sentences).map(embed)


def from_features(path):
    """The vectors of a file that `elmo-tf2 embed` made."""
    from elmo_tf2.features import FeatureReader

    def of_mix(sentence):
        return {"vectors": sentence["vectors"][0], "sequence_len": tf.size(sentence["tokens"])}

    return bucketed(FeatureReader(path).dataset().map(of_mix))


def main(given):
    """Prints the batches' shapes, and how much of them is padding."""
    if given.source.is_dir():
        texts = [text for text, _, _ in read_conllu(given.test, given.sentences)]
        batches = from_text(given.source, texts)
    else:
        batches = from_features(given.source)
    shapes, places, words, start = Counter(), 0, 0, time.perf_counter()
    for batch in batches.prefetch(tf.data.AUTOTUNE):
        shapes[tuple(batch["vectors"].shape)] += 1
        places += tf.size(batch["vectors"][..., 0]).numpy()
        words += tf.reduce_sum(batch["sequence_len"]).numpy()
    seconds = time.perf_counter() - start
    for shape, number in sorted(shapes.items(), key=lambda item: item[0][1]):
        print(f"{number} of shape {shape}")
    print(f"{words} words in {seconds:.1f} s; {1 - words / places:.0%} of the places are padding")


if __name__ == "__main__":
    main(options(__doc__, "source", test=TEST))
