"""The ZINC250k table from trained models: reconstruction, validity, GP regression, FCD against the ZINC test set, every prior, pace.

    python benchmarks/zinc.py zinc zinc-small                         # names of models that ship, run folders or model folders
    python benchmarks/zinc.py runs/zinc --pieces samples              # in pieces; what stands in results/zinc.json is not made again
    python benchmarks/zinc.py runs/zinc --regression-size 10000       # the published figures use all 249,456 molecules (the default)

The test set has 5,000 molecules, so FCDs here have a larger bias than those of MOSES and compare with one another only. GP: penalised
logP on the posterior means, ten 90/10 splits, 500 inducing points, FITC (docs/evaluation.md); a piece for each split.
Writes benchmarks/results/zinc.json and zinc.png, prints the tables.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import hardware
from model_report import (
    bars_table,
    curve_table,
    markdown,
    metrics_table,
    number,
    picture,
    prior_bars,
    prior_table,
    sizes,
    training_table,
)
from model_tables import PIECES, Measurement, figures, measure, parser

from molvae.evaluation.reconstruction import reconstruction_report
from molvae.evaluation.regression import latent_regression
from molvae.files import write_bytes
from molvae.report.published import published
from molvae.workflows.records import choose, read_records
from molvae.workflows.regression_data import RegressionData, regression_data

COLUMNS = (
    "valid",
    "unique@10000",
    "FCD/Test",
    "SNN/Test",
    "Frag/Test",
    "Scaf/Test",
    "IntDiv",
    "logP",
    "SA",
    "QED",
    "Novelty",
)
TARGET = "penalized_logp"
BARS = {"rmse": 1.186, "log_likelihood": -1.470, "train": 0.95}


class ZincMeasurement(Measurement):
    """The pieces of a model, with those of ZINC."""

    def train(self) -> None:
        """Reconstruction of training molecules: the published protocol trains to 0.95 of them."""
        settings = {"molecules": self.options.test_train, "seed": self.options.seed, "data": self.options.data}
        self.pieces.piece(self.given, "train reconstruction", settings, self._trained)

    def _trained(self) -> dict[str, Any]:
        records = read_records(self.model, self.options.data, part="train", quiet=True)
        report = reconstruction_report(
            self.model, choose(records, self.options.test_train, self.options.seed), self.options.seed
        )
        return {name: value for name, value in report.items() if name != "failures"}

    @cached_property
    def points(self) -> RegressionData:
        return regression_data(
            self.model,
            self.options.data,
            TARGET,
            self.options.regression_size,
            self.options.seed,
            self.chemistry,
            self.stages,
        )

    def regression(self) -> None:
        """A piece for each split of the GP regression."""
        for split in range(self.options.splits):
            settings = {
                "size": self.options.regression_size,
                "seed": self.options.seed,
                "split": split,
                "data": self.options.data,
            }
            self.pieces.piece(self.given, f"regression {split}", settings, lambda split=split: self._split(split))  # type: ignore[misc]

    def _split(self, split: int) -> dict[str, Any]:
        found = latent_regression(
            self.points.z, self.points.targets, splits=1, seed=self.options.seed + split, progress=self.stages
        )
        return {
            **found["splits"][0],
            "method": found["method"],
            "num_molecules": found["num_molecules"],
            "num_inducing": found["num_inducing"],
        }


def estimate(splits: Mapping[str, Any], key: str) -> tuple[float | None, float | None]:
    """Mean over the splits and its standard error."""
    values = [split[key] for split in splits.values()]
    if not values:
        return None, None
    return statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def zinc_table(content: Any) -> str:
    """Reconstruction, validity and the regression, molvae's rows above the published ones."""
    rows = []
    for label, model in content["models"].items():
        worth = figures(model, "samples").get("normal", {})
        train = figures(model, "train reconstruction").get("", {})
        splits = figures(model, "regression")
        latent = worth.get("reconstruction", {})
        exact = [
            number(train.get("exact_sampled")),
            number(latent.get("exact_sampled")),
            number(latent.get("exact_mean")),
        ]
        valid = number(worth.get("metrics", {}).get("valid"), worth.get("deviations", {}).get("valid"))
        molecules = f"{next(iter(splits.values()))['num_molecules']:,} x {len(splits)}" if splits else ""
        rows.append(
            [
                label,
                *exact,
                valid,
                number(*estimate(splits, "rmse")),
                number(*estimate(splits, "log_likelihood")),
                molecules,
            ]
        )
    for name, row in published()["zinc250k"]["rows"].items():
        rows.append(
            [
                f"{name} (published, FITC)",
                "0.95",
                "",
                "",
                number(row["validity"]),
                number(*row["rmse"]),
                number(*row["log_likelihood"]),
                "249,456 x 10",
            ]
        )
    head = [
        "model",
        "exact, train, z ~ q",
        "exact, test, z ~ q",
        "exact, test, z = mean",
        "valid, N(0, I)",
        "GP RMSE",
        "GP log-likelihood",
        "molecules x splits",
    ]
    return markdown(head, rows)


def regression_bars(label: str, model: Any) -> list[tuple[str, str, float | None, bool | None]]:
    """The bars of the regression, and the reconstruction that they ask for."""
    splits = figures(model, "regression")
    train = figures(model, "train reconstruction").get("", {}).get("exact_sampled")
    comparable = len(splits) >= 10 and all(split["num_molecules"] > 249_000 for split in splits.values())
    rmse, density = (estimate(splits, key)[0] for key in ("rmse", "log_likelihood"))
    return [
        (
            label,
            f"train reconstruction, z ~ q, at least {BARS['train']:g}",
            train,
            None if train is None else train >= BARS["train"],
        ),
        (
            label,
            f"GP RMSE over ten splits of all molecules, at most {BARS['rmse']:g}",
            rmse,
            None if not comparable or rmse is None else rmse <= BARS["rmse"],
        ),
        (
            label,
            f"GP log-likelihood over ten splits of all molecules, at least {BARS['log_likelihood']:g}",
            density,
            None if not comparable or density is None else density >= BARS["log_likelihood"],
        ),
    ]


def main(words: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "", "zinc", "zinc250k", (*PIECES, "train", "regression"))
    options.add_argument(
        "--regression-size", type=int, default=249_456, help="molecules of the regression, drawn at random"
    )
    options.add_argument("--splits", type=int, default=10)
    options.add_argument("--test-train", type=int, default=10_000, help="training molecules to reconstruct")
    asked = options.parse_args(words)
    pieces = measure(asked, ZincMeasurement)
    content = pieces.content
    write_bytes(hardware.RESULTS / f"{asked.name}.png", picture(content, None))
    bars = [
        bar
        for label, model in content["models"].items()
        for bar in (*regression_bars(label, model), *prior_bars(label, model, 0.80))
    ]
    tables = (
        sizes(content),
        zinc_table(content),
        metrics_table(content, COLUMNS, {}),
        prior_table(content),
        training_table(content),
        curve_table(content),
    )
    print("\n\n".join((*tables, bars_table(bars))))
    print(f"\n→ {pieces.path}, {hardware.RESULTS / f'{asked.name}.png'}")


if __name__ == "__main__":
    main()
