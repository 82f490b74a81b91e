"""What is drawn of vectors: their plane, and their clusters."""

import numpy as np

# Vectors of one word without context are equal but for rounding.
DECIMALS = 5


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Scales vectors `(number, dimensions)` to length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def plane_of(vectors: np.ndarray) -> np.ndarray:
    """The two principal components of vectors scaled to length 1, `(number, 2)`.

    Zeros if all vectors are equal but for rounding.
    """
    unit = unit_vectors(vectors)
    centred = unit - unit.mean(axis=0)
    if np.abs(centred).max() < 10**-DECIMALS:
        return np.zeros((len(vectors), 2))
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    plane = (u * s)[:, :2]
    return np.pad(plane, [(0, 0), (0, 2 - plane.shape[1])])


def clusters_of(vectors: np.ndarray, number: int) -> list[int]:
    """The number of each vector's cluster, from 0, by k-means of vectors scaled to length 1."""
    if number == 1:
        return [0] * len(vectors)
    from sklearn.cluster import KMeans

    unit = unit_vectors(vectors)
    different = len(np.unique(unit.round(DECIMALS), axis=0))
    if different < number:
        raise ValueError(
            f"{number} clusters need as many different vectors. Found: {different} in "
            f"{len(vectors)} sentences. Ask for fewer clusters, or cluster by a higher layer."
        )
    return KMeans(number, n_init=10, random_state=0).fit_predict(unit).tolist()


def most_typical(vectors: np.ndarray) -> int:
    """The number of the vector that is nearest to the mean of all, each scaled to length 1."""
    unit = unit_vectors(vectors)
    return int(np.argmax(unit @ unit.mean(axis=0)))
