"""A small model folder of ELMoForManyLangs, with random weights."""

import json

from tests.weights import torch_files as torch

PUBLISHED = "cnn_50_100_512_4096_sample.json"
WORDS = ["<oov>", "<bos>", "<eos>", "<pad>", "cat", "\u732b"]
CHARACTERS = [*"cat<bos>e", "\u3000", "<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>"]
CHARACTERS = list(dict.fromkeys(CHARACTERS))
ARCHITECTURE = {
    "encoder": {
        "name": "elmo",
        "projection_dim": 3,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 5,
        "n_layers": 2,
    },
    "token_embedder": {
        "name": "cnn",
        "activation": "relu",
        "filters": [[3, 4], [1, 2]],
        "n_highway": 2,
        "word_dim": 2,
        "char_dim": 4,
        "max_characters_per_token": 50,
    },
}
SHAPES = {
    "token_embedder.pkl": {
        "word_emb_layer.embedding.weight": (len(WORDS), 2),
        "char_emb_layer.embedding.weight": (len(CHARACTERS), 4),
        "convolutions.0.weight": (4, 4, 3),
        "convolutions.0.bias": (4,),
        "convolutions.1.weight": (2, 4, 1),
        "convolutions.1.bias": (2,),
        "highways._layers.0.weight": (12, 6),
        "highways._layers.0.bias": (12,),
        "highways._layers.1.weight": (12, 6),
        "highways._layers.1.bias": (12,),
        "projection.weight": (3, 8),
        "projection.bias": (3,),
    },
    "encoder.pkl": {
        f"{direction}_layer_{layer}.{key}": shape
        for direction in ("forward", "backward")
        for layer in (0, 1)
        for key, shape in {
            "input_linearity.weight": (20, 3),
            "state_linearity.weight": (20, 3),
            "state_linearity.bias": (20,),
            "state_projection.weight": (3, 5),
        }.items()
    },
}


def write_dictionary(path, entries):
    """The last entry comes first: their order in the file is not that of their numbers."""
    lines = [f"{entry}\t{i}\n" for i, entry in enumerate(entries)]
    path.write_bytes("".join(reversed(lines)).encode())


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def random_tensors(rng):
    """The tensors of both files."""
    return {
        file: {key: rng.normal(size=shape).astype("f") for key, shape in shapes.items()}
        for file, shapes in SHAPES.items()
    }


def write_many_langs_folder(folder, tensors):
    """Writes a folder with these tensors."""
    folder.mkdir()
    write_json(folder / "config.json", {"config_path": f"/users/someone/configs/{PUBLISHED}"})
    write_json(folder / PUBLISHED, ARCHITECTURE)
    write_dictionary(folder / "word.dic", WORDS)
    write_dictionary(folder / "char.dic", CHARACTERS)
    for file, arrays in tensors.items():
        (folder / file).write_bytes(torch.saved(arrays))
    return folder
