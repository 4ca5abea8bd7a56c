from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits as original_digits

from molvae.data.images import load_digits, load_images, read_idx
from molvae.data.sources import Source, resolve
from molvae.errors import ArtifactError, InputError


def write_idx(path: Path, array: np.ndarray) -> None:
    header = b"\0\0\x08" + bytes([array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


def test_the_digits_are_split_the_same_way_every_time() -> None:
    splits = load_digits()
    assert {name: images.pixels.shape for name, images in splits.items()} == {
        "train": (1297, 8, 8), "valid": (200, 8, 8), "test": (300, 8, 8),
    }
    for name, images in load_images(resolve("digits")).items():
        assert np.array_equal(images.pixels, splits[name].pixels)


def test_every_digit_is_in_one_split_with_its_label() -> None:
    def rows(pixels: np.ndarray, labels: np.ndarray) -> list[bytes]:
        return sorted(image.tobytes() + bytes([label]) for image, label in zip(pixels, labels, strict=True))

    digits, splits = original_digits(), load_digits().values()
    pixels = np.concatenate([images.pixels for images in splits])
    labels = np.concatenate([images.labels for images in splits if images.labels is not None])
    assert pixels.dtype == np.float32
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert rows((pixels * 16).astype(np.uint8), labels) == rows(digits.images.astype(np.uint8), digits.target)


def test_an_idx_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    for shape in ((5,), (3, 4, 2), (0, 3)):
        array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        write_idx(tmp_path / "a.gz", array)
        assert np.array_equal(read_idx(tmp_path / "a.gz"), array)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0\0\x08\x01", b"\0\0\x08\x01\0\0\0\x05abcd", b"\0\0\x08\x01\0\0\0\x05abcdef",
        b"\0\0\x0d\x01\0\0\0\x01abcd", b"PNG image", b"\0\0\x08\xff" + b"\xff" * 1020,
    ],
)
def test_what_is_no_idx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ArtifactError, match=r"a\.gz"):
        read_idx(tmp_path / "a.gz")
    (tmp_path / "a.gz").write_bytes(gzip.compress(content)[:-4])
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_idx(tmp_path / "a.gz")


def test_the_last_ten_thousand_training_images_of_mnist_are_for_validation(tmp_path: Path) -> None:
    train, test = tmp_path / "train-images-idx3-ubyte.gz", tmp_path / "t10k-images-idx3-ubyte.gz"
    for path, count in ((train, 10_020), (test, 7)):
        images = np.arange(count)[:, None, None] % 251 * np.ones((1, 2, 2))
        write_idx(path, images)
        write_idx(path.with_name(path.name.replace("images-idx3", "labels-idx1")), np.arange(count) % 10)
    splits = load_images(Source("mnist", "images", {"train": train, "test": test}))
    assert {name: len(images) for name, images in splits.items()} == {"train": 20, "valid": 10_000, "test": 7}
    assert splits["valid"].labels is not None
    assert splits["valid"].labels[:3].tolist() == [0, 1, 2]
    assert np.allclose(splits["valid"].pixels[0] * 255, 20)


def test_molecules_are_no_images() -> None:
    with pytest.raises(InputError, match="not images"):
        load_images(resolve("sample"))


def test_static_mnist_and_omniglot_are_read(shared_data: Path) -> None:
    images = shared_data / "data" / "images"
    static = load_images(Source("mnist-static", "images", {"train": images / "mnist_static" / "binarized_mnist.npz"}))
    omniglot = load_images(Source("omniglot", "images", {"train": images / "omniglot" / "omniglot28_box_15_5.npz"}))
    assert {name: images.pixels.shape[0] for name, images in static.items()} == {
        "train": 50_000, "valid": 10_000, "test": 10_000,
    }
    assert set(np.unique(static["test"].pixels)) == {0, 1}
    assert {name: images.pixels.shape for name, images in omniglot.items()} == {
        "train": (23_000, 28, 28), "valid": (1_345, 28, 28), "test": (8_115, 28, 28),
    }
