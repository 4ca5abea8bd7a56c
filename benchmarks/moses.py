"""The MOSES table from trained models: FCD beside exact reconstruction, every prior, the published rows, and the pace of training.

    python benchmarks/moses.py moses moses-small                      # names of models that ship, run folders or model folders
    python benchmarks/moses.py runs/moses --pieces training samples   # in pieces; what stands in results/moses.json is not made again
    python benchmarks/moses.py runs/demo --data sample -n 1000 --seeds 1 --name trial --fits "gaussian samples" --limit 5000

Samples: 30,000 for each of three seeds, with the guard and without, from N(0, I) and from the prior kept in the model. Reconstruction and the
decoder's floor: 30,000 test molecules drawn at random. Writes benchmarks/results/moses.json, moses.png and
moses_tradeoff.png, prints the tables.
"""

from __future__ import annotations

from typing import Any

import hardware
from model_report import (
    bars_table,
    curve_table,
    metrics_table,
    picture,
    prior_bars,
    prior_table,
    sizes,
    tradeoff_picture,
    training_table,
)
from model_tables import figures, measure, parser

from molvae.files import write_bytes
from molvae.report.published import moses_rows, published, tradeoff_at

COLUMNS = (
    "valid",
    "unique@10000",
    "FCD/Test",
    "FCD/TestSF",
    "SNN/Test",
    "Frag/Test",
    "Scaf/Test",
    "Scaf/TestSF",
    "IntDiv",
    "Filters",
    "Novelty",
)
FLOORS = ((0.90, 0.690, 0.30), (0.95, 1.132, 0.40))
"""Exact reconstruction, and the FCDs to reach there: with N(0, I), with a fitted prior."""


def tradeoff_bars(label: str, model: Any) -> list[tuple[str, str, float | None, bool | None]]:
    """The bars at the reconstruction that the model has; none below 0.90."""
    samples = figures(model, "samples")
    if "normal" not in samples:
        return []
    exact = samples["normal"]["reconstruction"]["exact_sampled"]
    reached = [bars for bars in FLOORS if exact >= bars[0]]
    if not reached:
        return [(label, "exact reconstruction, z ~ q, at least 0.90", exact, False)]
    floor, *limits = reached[-1]
    values = [samples.get(prior, {}).get("metrics", {}).get("FCD/Test") for prior in ("normal", "fitted")]
    return [
        (
            label,
            f"FCD with {prior} at reconstruction {floor:g}, at most {limit:g}",
            value,
            None if value is None else value <= limit,
        )
        for prior, limit, value in zip(("N(0, I)", "the fitted prior"), limits, values, strict=True)
    ]


def there(content: Any) -> str:
    """What is published at each model's reconstruction."""
    lines = []
    for label, model in content["models"].items():
        worth = figures(model, "samples").get("normal", {}).get("reconstruction")
        if worth is not None:
            exact = worth["exact_sampled"]
            shown = (
                ", ".join(f"{name} {value:.3f}" for name, value in tradeoff_at(exact).items())
                or "the curves go from 0.70 to 0.95"
            )
            lines.append(f"- {label}, {exact:.3f}: {shown}")
    return "\n".join(lines)


def main() -> None:
    options = parser(__doc__ or "", "moses", "moses").parse_args()
    pieces = measure(options)
    content, is_moses = pieces.content, options.data == "moses"
    curves = published()["tradeoff"] if is_moses else None
    write_bytes(hardware.RESULTS / f"{options.name}.png", picture(content, curves))
    write_bytes(hardware.RESULTS / f"{options.name}_tradeoff.png", tradeoff_picture(content, curves))
    print(f"{sizes(content)}\n")
    print(metrics_table(content, COLUMNS, moses_rows() if is_moses else {}))
    if is_moses:
        print(f"\npublished FCD at that reconstruction:\n{there(content)}")
    bars = [
        bar
        for label, model in content["models"].items()
        for bar in (*tradeoff_bars(label, model), *prior_bars(label, model, 0.90))
    ]
    for table in (prior_table(content), training_table(content), curve_table(content), bars_table(bars)):
        print(f"\n{table}")
    print(f"\n→ {pieces.path}, {hardware.RESULTS / f'{options.name}.png'}")


if __name__ == "__main__":
    main()
