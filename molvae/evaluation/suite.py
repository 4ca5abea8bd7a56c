"""The MOSES suite over any generated set and any reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from molvae.errors import InputError
from molvae.evaluation import bootstrap, chemnet
from molvae.evaluation.generated import GeneratedSet
from molvae.evaluation.inputs import Molecules, read_molecules
from molvae.evaluation.moses import Sample, compare, diversity, filters, properties
from molvae.evaluation.profiles import Chemistry, Progress
from molvae.evaluation.record import Record
from molvae.evaluation.reference import Reference, load_reference
from molvae.evaluation.results import Report

_AGAINST = ("FCD", "SNN", "Frag", "Scaf")
_PROPERTIES = ("logP", "SA", "QED", "weight", "NP")
_ITSELF = ("IntDiv", "IntDiv2", "Filters")
_SHOWN_FAILURES = 100


def evaluate(
    generated: Molecules,
    reference: Molecules = "moses",
    reference_scaffolds: Molecules | None = None,
    train: Molecules | None = None,
    unique_at: Sequence[int] = (1000, 10000),
    confidence: bool = False,
    num_workers: int = 2,
    seed: int = 0,
    progress: Progress | None = None,
    smiles_column: str | None = None,
) -> Report:
    """All MOSES metrics of a generated set (Polykovskiy et al. 2020), with the values of molsets 0.3.1.

    Args:
        generated: a file or SMILES; every line counts, a blank one as invalid.
        reference: ``"moses"`` for its test, scaffold test and training sets, a file, or SMILES.
        reference_scaffolds: a second reference, for the keys that end in ``TestSF``.
        train: what molecules must not be in to be novel; compared as strings, as stored.
        unique_at: the k of each unique@k.
        confidence: add 95 % bootstrap intervals.
        num_workers: processes for the chemistry; 0 for none, and then no protection from a hang or a crash in RDKit.
        seed: of the bootstrap.
        progress: called with a stage, how many more are done and how many there are.
        smiles_column: of every set that has columns.

    Raises:
        InputError: nothing to evaluate, or a reference without a valid molecule.
    """
    if isinstance(reference, str) and reference == "moses":
        reference_scaffolds = "moses" if reference_scaffolds is None else reference_scaffolds
        train = "moses" if train is None else train
    if any(k < 1 for k in unique_at):
        raise InputError("a count below 1", where="unique_at", got=list(unique_at))
    record = Record(confidence, seed)
    read = partial(read_molecules, smiles_column=smiles_column)
    name, lines = read(generated, where="GENERATED")
    if not lines:
        raise InputError("nothing to evaluate", where=name, expected="at least one line")
    sets = {"Test": read(reference, "test", where="--reference")}
    if reference_scaffolds is not None:
        sets["TestSF"] = read(reference_scaffolds, "test_scaffolds", where="--reference-scaffolds")
    training = None if train is None else read(train, where="--train")
    run = _Run(record, progress or (lambda stage, done, total: None), list(unique_at))
    with Chemistry(num_workers, progress=run.progress) as chemistry:
        record.stage("references")
        references = {suffix: load_reference(*named, chemistry, run.embed) for suffix, named in sets.items()}
        record.stage("chemistry")
        molecules = GeneratedSet.of(*chemistry.generated(lines))
    run.rates(molecules)
    if molecules.num_valid:
        run.against(molecules, references)
    else:
        record.none(set(run.keys()) - set(record.metrics), "no valid molecule")
        record.notes.append("no line is a valid molecule: is this a file of SMILES?")
    run.novelty(molecules, training, {suffix: lines for suffix, (_, lines) in sets.items()})
    return record.report(run.keys(), _about(name, molecules, references, training, record))


class _Run:
    """The stages of one evaluation."""

    def __init__(self, record: Record, progress: Progress, unique_at: list[int]):
        self.record, self.progress, self.unique_at = record, progress, unique_at

    def keys(self) -> list[str]:
        """The keys as the field prints them."""
        against = [f"{key}/{suffix}" for suffix in ("Test", "TestSF") for key in _AGAINST]
        return ["valid", *(f"unique@{k}" for k in self.unique_at), *against, *_ITSELF, *_PROPERTIES, "Novelty"]

    def embed(self, canonical: Sequence[str]) -> npt.NDArray[np.float32]:
        """ChemNet's activations."""
        return chemnet.load_chemnet()(canonical, progress=self._step("ChemNet", len(canonical)))

    def rates(self, molecules: GeneratedSet) -> None:
        """Validity and uniqueness."""
        self.record.rate("valid", molecules.num_valid, molecules.num_lines)
        for k in self.unique_at:
            num = min(k, molecules.num_valid)
            if num > 0:
                self.record.rate(f"unique@{k}", molecules.num_unique(k), num, interval=False)
            if 0 < num < k:
                self.record.notes.append(f"unique@{k} is over the {num:,} valid molecules that there are")

    def against(self, molecules: GeneratedSet, references: dict[str, Reference]) -> None:
        """Everything that looks at the molecules themselves; there is at least one."""
        record = self.record
        record.stage("ChemNet")
        activations = self.embed(molecules.canonical)
        for suffix, reference in references.items():
            record.stage(f"comparison with {suffix}")
            step = self._step(f"similarity to {suffix}", len(reference.fingerprints))
            record.collect(compare(molecules, reference, suffix, step))
        if "TestSF" not in references:
            record.none((f"{key}/TestSF" for key in _AGAINST), "no scaffold reference given")
        record.stage("diversity")
        step = self._step("internal diversity", len(molecules.canonical))
        record.collect(diversity(molecules, record.confidence, step))
        record.collect(filters(molecules))
        record.rates["Filters"] = (int(molecules.counts @ molecules.passes), molecules.num_valid)
        record.collect(properties(molecules, references["Test"]))
        itself = Sample(molecules.counts.astype(np.float64), activations)
        record.compute(itself, self._step("bootstrap", bootstrap.NUM_RESAMPLES))

    def novelty(
        self, molecules: GeneratedSet, training: tuple[str, list[str]] | None, references: dict[str, list[str]]
    ) -> None:
        """The share of distinct molecules that are not among the training strings as stored."""
        self.record.stage("novelty")
        if training is None:
            self.record.none(["Novelty"], "no training set given")
            return
        for suffix, lines in references.items():
            if common := len(set(lines).intersection(training[1])):
                self.record.notes.append(f"{common:,} strings of the {suffix} reference are in the training set as well")
        distinct = set(molecules.canonical)
        if distinct:
            self.record.rate("Novelty", len(distinct) - len(distinct.intersection(training[1])), len(distinct))

    def _step(self, stage: str, total: int) -> Callable[[int], object]:
        return partial(_report_step, self.progress, stage, total)


def _report_step(progress: Progress, stage: str, total: int, done: int) -> None:
    progress(stage, done, total)


def _about(
    name: str,
    molecules: GeneratedSet,
    references: dict[str, Reference],
    training: tuple[str, list[str]] | None,
    record: Record,
) -> dict[str, Any]:
    """What was compared with what; notes on what was left out go to the record."""
    for suffix, reference in references.items():
        if invalid := reference.num_lines - reference.statistics.num_molecules:
            record.notes.append(f"{invalid:,} of {reference.num_lines:,} lines of the {suffix} reference are invalid")
    failed = sum(failure.count for failure in molecules.failures)
    if failed:
        record.notes.append(f"RDKit failed on {failed:,} lines, counted as invalid: about.failures names them")
    generated = {"generated": molecules.num_valid, "generated_distinct": len(molecules.canonical)}
    return {
        "generated": {
            "name": name, "lines": molecules.num_lines, "valid": molecules.num_valid,
            "distinct": len(molecules.canonical), "failed": failed,
        },
        "references": {suffix: _describe(reference) for suffix, reference in references.items()},
        "train": None if training is None else {"name": training[0], "lines": len(training[1])},
        "fcd": {
            f"FCD/{suffix}": generated | {"reference": reference.statistics.num_molecules}
            for suffix, reference in references.items()
        },
        "chemnet_sha256": chemnet.SHA256,
        "failures": [asdict(failure) for failure in molecules.failures[:_SHOWN_FAILURES]],
    }


def _describe(reference: Reference) -> dict[str, Any]:
    statistics = reference.statistics
    return {
        "name": reference.name, "sha256": reference.sha256, "lines": reference.num_lines,
        "valid": statistics.num_molecules, "statistics": reference.source, "rdkit": statistics.rdkit,
    }
