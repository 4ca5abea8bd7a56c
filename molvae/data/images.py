"""Image data sets as arrays: the digits of scikit-learn, and what `molvae data fetch` brings."""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from molvae.data.sources import Source
from molvae.errors import ArtifactError, InputError

Array = np.ndarray[Any, Any]

_SEED = 0
_MNIST_VALID = 10_000
_OMNIGLOT_VALID = 1_345
_DIGITS_VALID, _DIGITS_TEST = 200, 300


@dataclass(frozen=True)
class Images:
    """Grey images and what they show.

    Attributes:
        pixels: float32 in [0, 1], (images, height, width).
        labels: int64, (images), or None.
    """

    pixels: Array
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Array | slice) -> Images:
        return Images(self.pixels[rows], None if self.labels is None else self.labels[rows])


def load_images(source: Source) -> dict[str, Images]:
    """The splits of an image data set: ``train``, ``valid`` and ``test``, always the same ones.

    Raises:
        InputError: a source that is not images.
        ArtifactError: a file that is not what its name says.
    """
    if source.kind != "images":
        raise InputError("not images", where=source.name, got=source.kind)
    if source.name == "digits":
        return load_digits()
    if source.name == "mnist-static":
        return _load_packed(source.splits["train"])
    if source.name == "omniglot":
        return _load_omniglot(source.splits["train"])
    return _load_idx(source.splits["train"], source.splits["test"])


def load_digits() -> dict[str, Images]:
    """The 1,797 handwritten digits of scikit-learn, 8×8: 1,297 / 200 / 300, shuffled with a fixed seed."""
    from sklearn.datasets import load_digits as load

    digits = load()
    images = Images((digits.images / 16).astype(np.float32), digits.target.astype(np.int64))
    images = images[np.random.default_rng(_SEED).permutation(len(images))]
    first_test = len(images) - _DIGITS_TEST
    first_valid = first_test - _DIGITS_VALID
    return {"train": images[:first_valid], "valid": images[first_valid:first_test], "test": images[first_test:]}


def read_idx(path: Path) -> Array:
    """The array in a gzipped IDX file of bytes (the format of MNIST).

    Raises:
        ArtifactError: another format, or a file whose length is not what its header says.
    """
    try:
        with gzip.open(path, "rb") as stream:
            content = stream.read()
    except (OSError, EOFError) as error:
        raise ArtifactError("an image file that cannot be read", where=path, got=str(error)) from error
    num_axes = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 + 4 * num_axes
    shape = [int.from_bytes(content[place : place + 4], "big") for place in range(4, start, 4)]
    if not num_axes or len(content) != start + math.prod(shape):
        raise ArtifactError("not an IDX file of bytes", where=path)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _load_idx(train: Path, test: Path) -> dict[str, Images]:
    """MNIST and its relatives: the last 10,000 training images are for validation."""
    both = {
        split: Images(_grey(read_idx(path)), read_idx(_labels(path)).astype(np.int64))
        for split, path in {"train": train, "test": test}.items()
    }
    images, first_valid = both["train"], len(both["train"]) - _MNIST_VALID
    return {"train": images[:first_valid], "valid": images[first_valid:], "test": both["test"]}


def _labels(images: Path) -> Path:
    return images.with_name(images.name.replace("images-idx3", "labels-idx1"))


def _load_packed(path: Path) -> dict[str, Images]:
    """Static binarised MNIST: each row is 784 bits."""
    with np.load(path, allow_pickle=False) as arrays:
        return {
            split: Images(np.unpackbits(arrays[split], axis=1).reshape(-1, 28, 28).astype(np.float32))
            for split in ("train", "valid", "test")
        }


def _load_omniglot(path: Path) -> dict[str, Images]:
    """Omniglot: the label is the character; 1,345 training drawings, chosen with a fixed seed, are for validation."""
    with np.load(path, allow_pickle=False) as arrays:
        train, test = (
            Images(_grey(arrays[split]), arrays[f"{split}_char"].astype(np.int64)) for split in ("train", "test")
        )
    train = train[np.random.default_rng(_SEED).permutation(len(train))]
    return {"train": train[:-_OMNIGLOT_VALID], "valid": train[-_OMNIGLOT_VALID:], "test": test}


def _grey(levels: Array) -> Array:
    return levels.astype(np.float32) / np.float32(255)
