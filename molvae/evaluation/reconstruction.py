"""Does what is encoded come back? The rates of ``molvae reconstruct``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from molvae.chem.molecules import canonical_or_none
from molvae.model import Model, Records
from molvae.rereading import ENCODE_BLOCK

Hits = NDArray[np.bool_]


def reconstruction_report(model: Model, records: Records, seed: int = 0) -> dict[str, Any]:
    """Rates of reconstruction by greedy decoding, from the mean and from a sample of q(z | x).

    Args:
        model: the model.
        records: SMILES in the form of the model's data.
        seed: of the samples.

    Returns:
        ``num_molecules``; ``exact_mean`` and ``exact_sampled``: the decoded string is the string encoded, end included;
        ``same_molecule_mean``: the canonical SMILES agree; ``token_accuracy``: tokens right under teacher forcing from the
        mean; ``failures``: each record that the mean does not bring back, with what came instead. Rates of nothing are None.
    """
    at_mean = model.reconstruct(records, as_written=True)
    return compare_decoded(model, records, at_mean, model.reconstruct(records, sampled=True, seed=seed, as_written=True))


def compare_decoded(model: Model, records: Records, at_mean: Records, at_sample: Records) -> dict[str, Any]:
    """The figures of `reconstruction_report` for records that are decoded already, from z = mean and from z ~ q."""
    exact = _equal(records, at_mean)
    return {
        "num_molecules": len(records),
        "exact_mean": rate(exact),
        "exact_sampled": rate(_equal(records, at_sample)),
        "same_molecule_mean": rate(_same_molecules(records, at_mean, exact)),
        "token_accuracy": unit_accuracy(model, records),
        "failures": [_failure(int(i), records[i], at_mean[i]) for i in np.flatnonzero(~exact)],
    }


def _equal(records: Records, decoded: Records) -> Hits:
    return np.array([np.array_equal(a, b) for a, b in zip(records, decoded, strict=True)], dtype=bool)


def rate(hits: Hits) -> float | None:
    """The share of hits; None of nothing."""
    return None if not len(hits) else float(hits.mean())


def _same_molecules(records: Records, decoded: Records, exact: Hits) -> Hits:
    """Where the canonical SMILES agree; those that are exact need no chemistry."""
    same = exact.copy()
    for i in np.flatnonzero(~exact):
        molecule = canonical_or_none(decoded[i])
        same[i] = molecule is not None and molecule == canonical_or_none(records[i])
    return same


def _failure(index: int, record: Any, decoded: Any) -> dict[str, Any]:
    return {"index": index, "smiles": record, "decoded": decoded}


@torch.inference_mode()
def unit_accuracy(model: Model, records: Records) -> float | None:
    """Share of units (tokens, pixels) whose arg max is right under teacher forcing from the mean."""
    correct = total = 0
    for start in range(0, len(records), ENCODE_BLOCK):
        batch = model.codec.encode(records[start : start + ENCODE_BLOCK]).to(model.vae.device, model.vae.dtype)
        scores = model.vae.decoder(model.vae.encode(batch).centre, batch)
        match = model.vae.likelihood(scores, batch, 0.5)
        correct += int(match.num_correct.sum())
        total += int(match.num_units.sum())
    return correct / total if total else None
