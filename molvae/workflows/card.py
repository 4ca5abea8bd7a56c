"""The model card: what a model is, what it was made from, and how well it does, for those who did not train it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from molvae.model import Model
from molvae.workflows.outcome import Outcome, last_validation
from molvae.workflows.provenance import machine


def model_card(model: Model, config: str, metrics: Sequence[Mapping[str, Any]], result: Outcome) -> str:
    """MODEL_CARD.md of a freshly trained model.

    Args:
        model: with its provenance in ``about``.
        config: the resolved configuration, as TOML.
        metrics: the lines of metrics.jsonl.
        result: what they come to.
    """
    about = model.about
    last = last_validation(metrics)
    rows = "\n".join(f"| {name.removeprefix('valid/')} | {value:.4g} |" for name, value in last.items())
    rates = "\n".join(f"- {line[0].upper()}{line[1:]}." for line in result.lines)
    counts = about["counts"]
    return f"""# Model card

A {model.codec.kind} VAE: {model.latent_size} latent dimensions, posterior `{model.vae.posterior.kind}`, prior
`{model.vae.prior.kind}`, likelihood `{model.vae.likelihood.kind}`, {sum(p.numel() for p in model.vae.parameters()):,} parameters.

- Data: {about["data"]["name"]}, {counts["train"]:,} training records.
- Seed {about["seed"]}; {about["training_seconds"]:.0f} s of training on {machine(about["hardware"])}.
- molvae {about["versions"]["molvae"]}, torch {about["versions"]["torch"]}, commit {about["git_commit"] or "of a release"}.
- Command: `{shlex.join(about["command"])}`

## At the end of training, on the validation part

| figure | value |
|---|---|
{rows}

`exact_mean` and `exact_sampled` are shares of records that come back exactly (z = mean and z ~ q); `prior_validity` is the share of
prior samples that are molecules. Read them together: a model that ignores its latent space samples well and reconstructs nothing.

{rates}

## Known limits

The model knows the tokens and the lengths of its data. Samples are not checked for stability, toxicity or synthesis.

## Configuration

```toml
{config.strip()}
```
"""
