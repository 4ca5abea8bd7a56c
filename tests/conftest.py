"""What the whole suite shares: annotated shapes are checked, threads are few, the shared data are found or the test is skipped."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: its threads wait for each other busily, two to a core here

import hypothesis
import pytest
import torch

from molvae.vae import VAE

torch.set_num_threads(1)

# The same examples every time, so that a change is judged by what it changes; MOLVAE_EXPLORE=1 looks for others.
hypothesis.settings.register_profile("suite", derandomize=not os.environ.get("MOLVAE_EXPLORE"))
hypothesis.settings.load_profile("suite")

ROOT = Path(__file__).parents[1]
TINY = (
    "data.num_workers=0", "model.latent_size=4", "model.encoder.embedding_size=8", "model.encoder.hidden_size=16",
    "model.decoder.embedding_size=8", "model.decoder.hidden_size=16", "training.epochs=2", "training.batch_size=32",
    "training.validity_samples=20", "training.precision=32-true", "training.threads=1", "training.log_every=4",
)
"""Assignments that make a run of the demo preset last a second."""


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test reads or writes the user's cache, but for MOSES itself; within a session, tests share one."""
    if "moses" in request.fixturenames:
        request.getfixturevalue("moses")  # read from the user's cache first
    if request.node.get_closest_marker("real_cache") is not None:
        return
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def molecules() -> list[str]:
    """The first 200 molecules of the bundled sample."""
    with gzip.open(ROOT / "molvae" / "bundled" / "moses_sample_train.smi.gz", "rt") as file:
        return [next(file).strip() for _ in range(200)]


@pytest.fixture(scope="session")
def smiles_file(tmp_path_factory: pytest.TempPathFactory, molecules: list[str]) -> Path:
    """A file of these molecules."""
    path = tmp_path_factory.mktemp("molecules") / "mine.smi"
    path.write_text("".join(f"{smiles}\n" for smiles in molecules))
    return path


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, smiles_file: Path) -> Path:
    """A run of a tiny model; not to be written to."""
    from molvae import workflows

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLVAE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        out = tmp_path_factory.mktemp("run") / "run"
        return workflows.train(smiles_file, out, preset="demo", assignments=TINY, quiet=True)


@pytest.fixture
def shared_data() -> Path:
    """The folder of measuring data; tests that need it are skipped elsewhere."""
    folder = Path(os.environ.get("MOLVAE_SHARED_DATA") or Path(__file__).parent.parent.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip("needs the measuring data (MOLVAE_SHARED_DATA)")
    return folder


def pixel_vae(
    num_pixels: int = 6,
    latent_size: int = 2,
    likelihood: str = "deterministic_pixels",
    posterior: str = "normal",
    prior: str = "normal",
    seed: int = 0,
) -> VAE:
    """A very small VAE of binary images in float64."""
    torch.manual_seed(seed)
    spec = {
        "encoder": {"kind": "mlp", "hidden_sizes": [16]},
        "posterior": {"kind": posterior},
        "prior": {"kind": prior},
        "decoder": {"kind": "mlp", "hidden_sizes": [16]},
        "likelihood": {"kind": likelihood},
    }
    return VAE.from_spec(spec, num_pixels=num_pixels, latent_size=latent_size).double()
