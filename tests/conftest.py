"""What the whole suite shares: annotated shapes are checked, threads are few, the shared data are found or the test is skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from molvae.vae import VAE

torch.set_num_threads(1)


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
