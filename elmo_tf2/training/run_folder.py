"""The folder of a pretraining run."""

import contextlib
import csv
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.text_files import read_lines, words_between_spaces
from elmo_tf2.data.vocabulary_file import read_vocabulary, write_vocabulary
from elmo_tf2.dictionary import Dictionary
from elmo_tf2.files import atomic_write, check_file, full_disk_told
from elmo_tf2.locks import locked
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.validation import one_line, shown
from elmo_tf2.weights.checkpoint_variables import check_checkpoint_path
from elmo_tf2.weights.model_folder import OPTIONS_FILE, VOCABULARY_FILE
from elmo_tf2.weights.pretraining_run import (
    CHECKPOINTS_FOLDER,
    CONFIG_FILE,
    check_free_for_run,
    is_untrained_run,
)

HISTORY_COLUMNS = (
    "update",
    "loss",
    "perplexity",
    "learning_rate",
    "tokens_per_second",
    "heldout_perplexity",
)


class RunFolder:
    """The folder of a pretraining run.

    - `config.yaml`: everything that decides the run but the text, see `PretrainingConfig`.
    - `text.json`: the files of training text, and the held-out one.
    - `options.json`, `vocab.txt`: as in a model folder.
    - `checkpoints/`: the last two checkpoints.
    - `history.csv`: loss and perplexity by update.
    - `logs/`: the same for TensorBoard.
    - `lock`: exists while a process trains the run.

    Args:
        path: the folder.

    Example:
    >>> RunFolder("my_run").checkpoints.name
    'checkpoints'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config_file = self.path / CONFIG_FILE
        self.text_file = self.path / "text.json"
        self.options_file = self.path / OPTIONS_FILE
        self.vocabulary_file = self.path / VOCABULARY_FILE
        self.checkpoints = self.path / CHECKPOINTS_FOLDER
        self.history_file = self.path / "history.csv"
        self.logs = self.path / "logs"
        self._lock = self.path / "lock"

    def create(
        self,
        config: PretrainingConfig,
        vocabulary: Sequence[str],
        files: Sequence[str | os.PathLike[str]],
        heldout: str | os.PathLike[str] | None = None,
        overwrite_untrained: bool = False,
    ) -> None:
        """Makes the folder of a run that has not begun.

        Args:
            config: of the run.
            vocabulary: words of the softmax.
            files: of training text.
            heldout: file of held-out text, or None.
            overwrite_untrained: whether a run without a checkpoint may be replaced.

        Raises:
            FileExistsError: if there is something at its path.
            ValueError: if the held-out text has no words, another process trains the run, or
                TensorFlow would find no checkpoint there.
        """
        if config.model.token_embedder == "elmoformanylangs":
            raise ValueError(
                "A model of ELMoForManyLangs can be fine-tuned as an `ElmoEmbeddings`, but not "
                'pretrained. Take token_embedder="char_cnn" or "words".'
            )
        model = _with_words(config.model, vocabulary)
        check_checkpoint_path(self.path.absolute())
        if heldout is not None:
            _check_words(heldout)
        overwrite = overwrite_untrained and is_untrained_run(self.path)
        check_free_for_run(self.path, overwrite)
        if overwrite:
            with self.locked():
                pass
        parts = [path.name for name, path in vars(self).items() if name != "path"]
        with atomic_write(self.path, overwrite, parts=parts) as temporary:
            temporary.mkdir()
            new = RunFolder(temporary)
            new.config_file.write_text(config.to_yaml(), encoding="utf-8")
            text = {
                "train": [os.path.abspath(path) for path in files],
                "heldout": None if heldout is None else os.path.abspath(heldout),
            }
            new.text_file.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
            options = model.to_options()
            options |= {
                "bidirectional": True,
                "batch_size": config.batch_size,
                "unroll_steps": config.unroll_steps,
                "dropout": config.dropout,
                "n_tokens_vocab": len(vocabulary),
                "n_negative_samples_batch": config.num_negatives,
                "all_clip_norm_val": config.clip_norm,
            }
            new.options_file.write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
            write_vocabulary(new.vocabulary_file, vocabulary)
            new.checkpoints.mkdir()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training the run; an error if one does."""
        busy = f"Another process trains the run {self.path}. Wait until it has ended, or stop it."
        with locked(self._lock, busy):
            yield

    def read_config(self) -> PretrainingConfig:
        """The run's configuration."""
        config = PretrainingConfig.from_file(self.config_file)
        if config.model.token_embedder != "words":
            return config
        model = _with_words(config.model, self.read_vocabulary())
        return dataclasses.replace(config, model=model)

    def read_vocabulary(self) -> tuple[str, ...]:
        """The words of the run's softmax."""
        return read_vocabulary(self.vocabulary_file)

    def read_text(self) -> tuple[list[str], str | None]:
        """Names of the files of training text, and of the held-out one or None."""
        try:
            text = json.loads(check_file(self.text_file, "list of texts").read_bytes())
            files, heldout = text["train"], text["heldout"]
            names = list(files) if heldout is None else [*files, heldout]
            if not names or type(files) is not list or {type(name) for name in names} != {str}:
                raise ValueError("these are not names")
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{self.text_file} must be JSON that names the files `train` and `heldout`, as "
                f"`create` wrote it: {one_line(error)}."
            ) from error
        for path in names:
            check_file(path, f"file of training text (named by {self.text_file})")
        if heldout is not None:
            _check_words(heldout)
        return files, heldout

    def read_history(self) -> list[dict[str, str]]:
        """The rows of `history.csv`, values as strings."""
        if not self.history_file.exists():
            return []
        check_file(self.history_file, "history of losses")
        try:
            with open(self.history_file, encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                columns = list(reader.fieldnames or HISTORY_COLUMNS)
                rows = list(reader)
            if columns != list(HISTORY_COLUMNS):
                raise ValueError(f"its first line is {shown(','.join(columns))}")
            for row in rows:
                if None in row or None in row.values():
                    raise ValueError(f"it has a row of {shown(row)}")
                _ = int(row["update"]), float(row["heldout_perplexity"] or 0)
        except (ValueError, csv.Error) as error:
            raise ValueError(
                f"{self.history_file} must be a table with the columns "
                f"{', '.join(HISTORY_COLUMNS)}: {one_line(error)}. Remove it; the run resumes "
                "without its earlier history."
            ) from error
        return rows

    def cut_history(self, update: int) -> None:
        """Drops what was recorded after an update, from which the run resumes."""
        rows = [row for row in self.read_history() if int(row["update"]) <= update]
        with (
            atomic_write(self.history_file, overwrite=True) as temporary,
            open(temporary, "w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, HISTORY_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def record(self, row: Mapping[str, Any]) -> None:
        """Adds a row to `history.csv`: values by column; missing ones stay empty."""
        with (
            full_disk_told(self.history_file),
            open(self.history_file, "a", encoding="utf-8", newline="") as file,
        ):
            csv.DictWriter(file, HISTORY_COLUMNS).writerow(row)


def _with_words(model: ElmoConfig, vocabulary: Sequence[str]) -> ElmoConfig:
    """A word-based model has vectors of the words it predicts."""
    if model.token_embedder != "words":
        return model
    return dataclasses.replace(model, words=Dictionary(vocabulary))


def _check_words(heldout: str | os.PathLike[str]) -> None:
    texts = read_lines(check_file(heldout, "held-out text"))
    if not any(words_between_spaces(line) for lines in texts for line in lines):
        raise ValueError(
            f"{heldout} has no words, so nothing can be measured on it. Write held-out sentences "
            "into it, or remove it."
        )
