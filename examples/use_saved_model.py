"""Uses an exported ELMo with TensorFlow and tensorflow_hub alone.

python examples/use_saved_model.py SAVED_MODEL
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub


def main() -> None:
    """Prints what the model gives for a few sentences."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    elmo = hub.load(sys.argv[1])

    sentences = ["I like to eat apple", "I like apple products"]
    outputs = elmo(sentences, signature="default", as_dict=True)
    print("Outputs for", sentences)
    for name, value in sorted(outputs.items()):
        print(f"  {name:13} {value.dtype.name:8} {value.shape}")

    print('\n"apple" in the one sentence and in the other:')
    first, second = (4, 2)
    for name in sorted(name for name, value in outputs.items() if value.shape.rank == 3):
        one, other = outputs[name][0, first].numpy(), outputs[name][1, second].numpy()
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        print(f"  {name:13} cosine {cosine:+.3f}")

    lines = tf.data.Dataset.from_tensor_slices(sentences).batch(2)
    (vectors,) = lines.map(lambda text: elmo(text, signature="elmo"))
    print(f"\nThrough tf.data: {vectors.shape}")


if __name__ == "__main__":
    main()
