"""The MOSES suite over any generated set and any reference."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

import numpy as np
import numpy.typing as npt

from molvae.errors import InputError
from molvae.evaluation import bootstrap, chemnet
from molvae.evaluation.generated import GeneratedSet
from molvae.evaluation.inputs import Molecules, read_molecules
from molvae.evaluation.moses import Metric, Metrics, Sample, compare, diversity, filters, properties
from molvae.evaluation.profiles import Chemistry, Progress
from molvae.evaluation.reference import Reference, load_reference
from molvae.evaluation.results import Report

_AGAINST = ("FCD", "SNN", "Frag", "Scaf")
_PROPERTIES = ("logP", "SA", "QED", "weight", "NP")
_VERSIONS = ("molvae", "rdkit", "torch", "numpy", "fcd-torch")
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

    Raises:
        InputError: nothing to evaluate, or a reference without a valid molecule.
    """
    clock = _Clock(progress or (lambda stage, done, total: None))
    name, lines = read_molecules(generated)
    if not lines:
        raise InputError("nothing to evaluate", where=name, expected="at least one line")
    if reference == "moses":
        reference_scaffolds = "moses" if reference_scaffolds is None else reference_scaffolds
        train = "moses" if train is None else train
    run = _Run(clock, list(unique_at), seed, confidence)
    with Chemistry(num_workers, progress=clock.progress) as chemistry:
        clock.start("references")
        sets = {"Test": read_molecules(reference, "test")}
        if reference_scaffolds is not None:
            sets["TestSF"] = read_molecules(reference_scaffolds, "test_scaffolds")
        references = {suffix: load_reference(*named, chemistry, run.embed) for suffix, named in sets.items()}
        clock.start("chemistry")
        profiles, failures = chemistry.generated(lines)
    run.rates(GeneratedSet.of(profiles, failures))
    run.against(references)
    run.novelty(None if train is None else read_molecules(train), {suffix: named[1] for suffix, named in sets.items()})
    return run.report(name)


@dataclass
class _Clock:
    """Seconds spent in each stage."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = "reading"
    _since: float = field(default_factory=time.perf_counter)

    def start(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now


@dataclass
class _Run:
    """One evaluation under way: metrics and what is said about them, stage by stage."""

    clock: _Clock
    unique_at: list[int]
    seed: int
    confidence: bool
    generated: GeneratedSet = field(init=False)
    functions: dict[str, Metric] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, bootstrap.Interval] = field(default_factory=dict)
    rated: dict[str, tuple[int, int]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)
    train: dict[str, Any] | None = None

    def embed(self, canonical: Sequence[str]) -> npt.NDArray[np.float32]:
        """ChemNet's activations, with progress."""
        step = partial(self._step, "ChemNet", len(canonical))
        return chemnet.load_chemnet()(canonical, progress=step)

    def rates(self, generated: GeneratedSet) -> None:
        """Validity and uniqueness."""
        self.generated = generated
        self._rate("valid", generated.num_valid, generated.num_lines)
        for k in self.unique_at:
            num = min(k, generated.num_valid)
            if num == 0:
                self._none(f"unique@{k}", "no valid molecule")
                continue
            self._rate(f"unique@{k}", generated.num_unique(k), num, interval=False)
            if num < k:
                self.notes.append(f"unique@{k} is over the {num:,} valid molecules that there are")

    def against(self, references: dict[str, Reference]) -> None:
        """Everything that compares with a reference, and what needs no reference but molecules."""
        self.references = references
        if self.generated.num_valid == 0:
            for key in set(self._order()) - set(self.metrics) - {"Novelty"}:
                self._none(key, "no valid molecule")
            self.notes.append("no line is a valid molecule: is this a file of SMILES?")
            return
        self.clock.start("ChemNet")
        activations = self.embed(self.generated.canonical)
        for suffix in ("Test", "TestSF"):
            if suffix not in references:
                for key in _AGAINST:
                    self._none(f"{key}/{suffix}", "no scaffold reference given")
                continue
            self.clock.start(f"comparison with {suffix}")
            step = partial(self._step, f"similarity to {suffix}", len(references[suffix].fingerprints))
            self._collect(compare(self.generated, references[suffix], suffix, step))
            self.sizes[f"FCD/{suffix}"] = {
                "generated": self.generated.num_valid, "generated_distinct": len(self.generated.canonical),
                "reference": references[suffix].statistics.num_molecules,
            }
        self.clock.start("diversity")
        step = partial(self._step, "internal diversity", len(self.generated.canonical))
        self._collect(diversity(self.generated, self.confidence, step))
        self._collect(filters(self.generated))
        self.rated["Filters"] = (int(self.generated.counts @ self.generated.passes), self.generated.num_valid)
        self._collect(properties(self.generated, references["Test"]))
        self._values(activations)

    def novelty(self, train: tuple[str, list[str]] | None, references: dict[str, list[str]]) -> None:
        """The share of distinct molecules that are not among the training strings as stored."""
        self.clock.start("novelty")
        if train is None:
            self._none("Novelty", "no training set given")
            return
        name, lines = train
        self.train = {"name": name, "lines": len(lines)}
        for suffix, reference in references.items():
            if common := len(set(reference).intersection(lines)):
                self.notes.append(f"{common:,} strings of the {suffix} reference are in the training set as well")
        molecules = set(self.generated.canonical)
        if not molecules:
            self._none("Novelty", "no valid molecule")
            return
        self._rate("Novelty", len(molecules) - len(molecules.intersection(lines)), len(molecules))

    def report(self, name: str) -> Report:
        """The finished report."""
        generated = self.generated
        self.clock.start("end")
        for suffix, reference in self.references.items():
            if invalid := reference.num_lines - reference.statistics.num_molecules:
                self.notes.append(f"{invalid:,} of {reference.num_lines:,} lines of the {suffix} reference are invalid")
        failed = sum(failure.count for failure in generated.failures)
        if failed:
            self.notes.append(f"RDKit failed on {failed:,} lines, counted as invalid: about.failures names them")
        about = {
            "generated": {"name": name, "lines": generated.num_lines, "valid": generated.num_valid,
                          "distinct": len(generated.canonical), "failed": failed},
            "references": {suffix: _describe(reference) for suffix, reference in self.references.items()},
            "train": self.train,
            "rates": self.rated,
            "fcd": self.sizes,
            "chemnet_sha256": chemnet.SHA256,
            "versions": {"python": python_version(), **{package: _version(package) for package in _VERSIONS}},
            "reasons": self.reasons,
            "failures": [asdict(failure) for failure in generated.failures[:_SHOWN_FAILURES]],
            "notes": self.notes,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.clock.seconds.items()},
        }
        if self.confidence:
            about["confidence"] = {"level": bootstrap.LEVEL, "resamples": bootstrap.NUM_RESAMPLES, "seed": self.seed}
        return Report({key: self.metrics[key] for key in self._order()}, about, self.intervals)

    def _order(self) -> list[str]:
        """The keys as the field prints them."""
        keys = ["valid", *(f"unique@{k}" for k in self.unique_at)]
        keys += [f"{key}/{suffix}" for suffix in ("Test", "TestSF") for key in _AGAINST]
        return [*keys, "IntDiv", "IntDiv2", "Filters", *_PROPERTIES, "Novelty"]

    def _collect(self, metrics: Metrics) -> None:
        self.functions |= metrics.functions
        for key, reason in metrics.reasons.items():
            self._none(key, reason)

    def _values(self, activations: npt.NDArray[np.float32]) -> None:
        """Compute what was collected, and the intervals if they are asked for."""
        self.clock.start("values")
        counts = self.generated.counts.astype(np.float64)
        itself = Sample(counts, activations)
        for key, function in self.functions.items():
            value = function(itself)
            if math.isfinite(value):
                self.metrics[key] = value
            else:
                self._none(key, f"the computation gave {value}")
        if self.confidence:
            self.clock.start("bootstrap")
            step = partial(self._step, "bootstrap", bootstrap.NUM_RESAMPLES)
            self.intervals |= bootstrap.intervals(self.functions, counts, activations, self.seed, step)

    def _rate(self, key: str, part: int, whole: int, interval: bool = True) -> None:
        self.metrics[key] = part / whole
        self.rated[key] = (part, whole)
        if interval and self.confidence:
            self.intervals[key] = bootstrap.rate_interval(part, whole, self.seed)

    def _none(self, key: str, reason: str) -> None:
        self.metrics[key] = None
        self.reasons[key] = reason

    def _step(self, stage: str, total: int, done: int) -> None:
        self.clock.progress(stage, done, total)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # molvae run from its sources
        return "not installed"


def _describe(reference: Reference) -> dict[str, Any]:
    statistics = reference.statistics
    return {
        "name": reference.name, "sha256": reference.sha256, "lines": reference.num_lines,
        "valid": statistics.num_molecules, "statistics": reference.source, "rdkit": statistics.rdkit,
    }
