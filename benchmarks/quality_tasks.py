"""What the vectors of a network know: word senses, and parts of speech."""

import itertools
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from quality_data import AmbiguousWord, Instance, TaggedSentence, Treebank
from quality_vectors import PROGRESS, embed, views
from rich.progress import Progress, track

from elmo_tf2.features.encoder import Encoder

# Cosines of vectors that are equal but for float32's rounding differ by about 1e-14, as it is the
# square of the angle that counts.
SAME_COSINE = 1e-9
# Directions with a smaller share of the largest variance are rounding: layer 0 has a vector twice.
NO_VARIANCE = 1e-9
# The probe's optimiser needs about 100; one that needs more warns that it did not converge.
MOST_STEPS = 1000


def accuracies(hits: dict[str, np.ndarray]) -> dict[str, Any]:
    """Sums up.

    Args:
        hits: by word, a bool for every test instance.

    Returns:
        dict of "micro", the share of all instances; "macro", the mean over words; and "words".
    """
    words = {name: float(each.mean()) for name, each in hits.items()}
    micro = float(np.concatenate(list(hits.values())).mean())
    return {"micro": micro, "macro": sum(words.values()) / len(words), "words": words}


def most_frequent_senses(words: Sequence[AmbiguousWord]) -> dict[str, Any]:
    """Returns `accuracies` of always answering with a word's most frequent sense in train."""
    hits = {}
    for word in words:
        sense = Counter(each.sense for each in word.train).most_common(1)[0][0]
        hits[word.name] = np.array([each.sense == sense for each in word.test])
    return accuracies(hits)


def word_senses(
    encoder: Encoder, words: Sequence[AmbiguousWord], description: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """Tells senses by the cosine of the ambiguous word's own vector.

    "1-NN" takes the sense of the nearest train instance, "centroid" that of the nearest mean of
    a sense's train instances. Where several are equally near, most instances decide, so that
    vectors which do not depend on the sentence give the most frequent sense.

    Args:
        encoder: the network.
        words: words with their instances.
        description: what the progress bar says.

    Returns:
        dict of `accuracies` by view and by "1-NN" and "centroid".
    """
    instances = [each for word in words for each in (*word.train, *word.test)]
    vectors = vectors_of_instances(encoder, instances, description)
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for name, layers in views(len(encoder.layers)).items():
        hits: dict[str, dict[str, np.ndarray]] = {"1-NN": {}, "centroid": {}}
        start = 0
        for word in words:
            middle = start + len(word.train)
            end = middle + len(word.test)
            train = vectors[layers, start:middle].mean(axis=0)  # (instances, dim)
            test = vectors[layers, middle:end].mean(axis=0)
            for method, answers in tell_senses(
                train, [each.sense for each in word.train], test
            ).items():
                gold = np.array([each.sense for each in word.test])
                hits[method][word.name] = answers == gold
            start = end
        results[name] = {method: accuracies(each) for method, each in hits.items()}
    return results


def vectors_of_instances(
    encoder: Encoder,
    instances: Sequence[Instance],
    description: str,
    bar: Progress | None = None,
) -> np.ndarray:
    """Embeds, and keeps the vectors of the ambiguous words alone.

    Args:
        encoder: the network.
        instances: the words in their sentences.
        description: what the progress bar says.
        bar: a progress bar that is shown already.

    Returns:
        float32 array, `(layers, instances, dim)`.
    """
    vectors = np.empty((len(encoder.layers), len(instances), encoder.dim), np.float32)
    for number, layers in embed(encoder, [each.words for each in instances], description, bar):
        vectors[:, number] = layers[:, instances[number].position]
    return vectors


def tell_senses(train: np.ndarray, senses: Sequence[str], test: np.ndarray) -> dict[str, Any]:
    """Tells the senses of one word's instances.

    Args:
        train: float array, `(train instances, dim)`.
        senses: of the train instances.
        test: float array, `(test instances, dim)`.

    Returns:
        dict of the senses of the test instances, by "1-NN" and "centroid".
    """
    names, votes = _votes(senses)
    counts = votes.sum(axis=0)
    centroids = votes.T @ train / counts[:, np.newaxis]
    return {
        "1-NN": nearest_senses(_cosines(test, train), senses),
        "centroid": names[_elect(_cosines(test, centroids), np.diag(counts))],
    }


def nearest_senses(cosines: np.ndarray, senses: Sequence[str]) -> np.ndarray:
    """Returns the sense of each instance's nearest train instance; of equals, that of most.

    Args:
        cosines: float64 array, `(instances, train instances)`.
        senses: of the train instances.
    """
    names, votes = _votes(senses)
    return names[_elect(cosines, votes)]


def _votes(senses: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The senses, most frequent first, and 1 for each instance's own, `(instances, senses)`."""
    names = np.array([name for name, _ in Counter(senses).most_common()])
    return names, (np.array(senses)[:, np.newaxis] == names).astype(float)


def _elect(cosines: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """The column of `votes`, `(points, columns)`, with most of them from the nearest points."""
    is_nearest = cosines >= cosines.max(axis=1, keepdims=True) - SAME_COSINE
    return (is_nearest @ votes).argmax(axis=1)


def _cosines(queries: np.ndarray, points: np.ndarray) -> np.ndarray:
    return _unit(queries) @ _unit(points).T


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def most_frequent_tags(treebank: Treebank) -> float:
    """Returns the accuracy of a word's most frequent tag in train; for new words, of all words."""
    pairs = Counter(
        pair for each in treebank.train for pair in zip(each.words, each.tags, strict=True)
    )
    best = {word: tag for (word, tag), _ in reversed(pairs.most_common())}
    default = Counter(tags_of(treebank.train)).most_common(1)[0][0]
    words = itertools.chain.from_iterable(each.words for each in treebank.test)
    answers = np.array([best.get(word, default) for word in words])
    return float((answers == tags_of(treebank.test)).mean())


def tags_of(sentences: Sequence[TaggedSentence]) -> np.ndarray:
    """Returns the tags of all words, one after another."""
    return np.array(list(itertools.chain.from_iterable(each.tags for each in sentences)))


def parts_of_speech(encoder: Encoder, treebank: Treebank, description: str) -> dict[str, float]:
    """Tells parts of speech by a linear probe: multinomial logistic regression on a word's vector.

    Args:
        encoder: the network.
        treebank: sentences to learn from and to tag.
        description: what the progress bars say.

    Returns:
        dict of the share of test words with the right tag, by view.
    """
    sentences = [*treebank.train, *treebank.test]
    vectors = _vectors_of_words(encoder, [each.words for each in sentences], description)
    train_tags, test_tags = tags_of(treebank.train), tags_of(treebank.test)
    results = {}
    all_views = views(len(encoder.layers)).items()
    for name, layers in track(all_views, f"{description}, probes", **PROGRESS):
        features = vectors[layers].mean(axis=0)  # (words, dim)
        train, test = np.split(features, [len(train_tags)])
        results[name] = probe(train, train_tags, test, test_tags)
    return results


def _vectors_of_words(
    encoder: Encoder, sentences: Sequence[list[str]], description: str
) -> np.ndarray:
    """Vectors of all words, `(layers, words, dim)`; in a file, as they may be some gigabytes."""
    starts = np.cumsum([0, *map(len, sentences)])
    shape = (len(encoder.layers), int(starts[-1]), encoder.dim)
    with tempfile.TemporaryFile() as file:  # it is there as long as the array
        vectors = np.memmap(file, np.float32, "w+", shape=shape)
    for number, layers in embed(encoder, sentences, description):
        vectors[:, starts[number] : starts[number + 1]] = layers
    return vectors


def probe(
    train: np.ndarray, train_tags: np.ndarray, test: np.ndarray, test_tags: np.ndarray
) -> float:
    """Trains a linear classifier, a multinomial logistic regression.

    Args:
        train: float array, `(train words, dim)`.
        train_tags: str array, `(train words,)`.
        test: float array, `(test words, dim)`.
        test_tags: str array, `(test words,)`.

    Returns:
        float. Its accuracy on the test words.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # Several threads wait for one another actively: ten times slower where cores are not free.
    with threadpool_limits(1):
        train, test = whiten(train, test)
        classifier = LogisticRegression(max_iter=MOST_STEPS).fit(train, train_tags)
        return float(classifier.score(test, test_tags))


def whiten(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotates and scales, so that on train all directions have mean 0 and variance 1.

    What a linear classifier can tell stays the same, and it converges several times as fast: the
    vectors of an untrained network hardly vary in most directions.

    Args:
        train: float array, `(train words, dim)`.
        test: float array, `(test words, dim)`.

    Returns:
        Both as float32 arrays of the same shapes.
    """
    mean = train.mean(axis=0, dtype=np.float64)
    centred = train - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / len(train))
    floor = NO_VARIANCE * variances[-1] + np.finfo(np.float64).tiny
    rotation = directions / np.sqrt(np.maximum(variances, floor))
    whitened = (centred @ rotation).astype(np.float32)
    return whitened, ((test - mean) @ rotation).astype(np.float32)
