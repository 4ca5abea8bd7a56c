"""The tables of a campaign's ledger, and the views that are made for people."""

from __future__ import annotations

from collections.abc import Sequence

from molvae.optimization.constraints import Constraint, Constraints
from molvae.optimization.settings import ObjectiveSettings

FORMAT = 1

TABLES = """
CREATE TABLE rounds (
    number INTEGER PRIMARY KEY,     -- 0: the start set
    started TEXT NOT NULL,          -- UTC
    seconds REAL NOT NULL,          -- that the strategy took
    num_decoded INTEGER NOT NULL,   -- latent points decoded for it
    num_invalid INTEGER NOT NULL,   -- those that mean no molecule
    state TEXT NOT NULL,            -- of the strategy after it, JSON
    notes TEXT NOT NULL             -- one a line
);
CREATE TABLE proposals (
    id INTEGER PRIMARY KEY,         -- in the order of proposal
    round INTEGER NOT NULL REFERENCES rounds (number),
    smiles TEXT NOT NULL UNIQUE,    -- canonical
    z BLOB,                         -- latent point, float64, little-endian
    source TEXT NOT NULL,
    asked TEXT                      -- when it was handed to a person
);
CREATE INDEX proposals_by_round ON proposals (round);
CREATE TABLE calls (
    number INTEGER PRIMARY KEY,     -- in the order of asking
    proposal INTEGER NOT NULL REFERENCES proposals (id),
    attempt INTEGER NOT NULL,       -- of this molecule, from 1: again after an interruption, or a replicate
    given INTEGER NOT NULL,         -- 1: known before the campaign, costs no budget
    status TEXT NOT NULL,           -- running, ok, interrupted, or the kind of failure
    reason TEXT NOT NULL,
    started TEXT,
    ended TEXT,
    seconds REAL
);
CREATE INDEX calls_by_proposal ON calls (proposal);
CREATE INDEX calls_running ON calls (number) WHERE status = 'running';
CREATE TABLE outcomes (
    call INTEGER NOT NULL REFERENCES calls (number),
    output TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (call, output)
) WITHOUT ROWID;
CREATE TABLE drops (               -- molecules that the constraints kept from being proposed
    round INTEGER NOT NULL REFERENCES rounds (number),
    reason TEXT NOT NULL,           -- the first constraint that each violates
    molecules INTEGER NOT NULL,
    PRIMARY KEY (round, reason)
) WITHOUT ROWID;
CREATE TABLE dropped (             -- some of them, and all that people brought although they violate a constraint
    round INTEGER NOT NULL REFERENCES rounds (number),
    smiles TEXT NOT NULL,           -- canonical
    reason TEXT NOT NULL,
    value REAL                      -- that the constraint is on; NULL where it could not be computed
);
CREATE INDEX dropped_by_smiles ON dropped (smiles);
CREATE TABLE objectives (
    position INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    direction TEXT NOT NULL
);
"""


def views(objectives: Sequence[ObjectiveSettings], constraints: Constraints) -> str:
    """``molecules`` (one row each, the mean of its replicates) and ``best_so_far`` (one row a label paid for).

    With constraints, ``molecules`` says whether each is feasible, and the best so far is of what is.
    """
    feasible = _feasible(constraints) if constraints else ""
    names = dict.fromkeys([*(each.name for each in objectives), *(each.name for each in constraints.paid)])
    means = "".join(f",\n    {_mean(name)} AS {identifier(name)}" for name in names)
    means += f",\n    {feasible} AS feasible" if feasible else ""
    bests = "".join(
        f""",
    {_value(each.name)} AS {identifier(each.name)},
    {"max" if each.sign > 0 else "min"}({f"CASE WHEN {feasible} THEN {_value(each.name)} END" if feasible else
        _value(each.name)}) OVER (ORDER BY c.number) AS {identifier("best " + each.name)}"""
        for each in objectives
    )
    return f"""
CREATE VIEW molecules AS SELECT p.id, p.smiles, p.round, p.source,
    CASE WHEN EXISTS (SELECT 1 FROM calls WHERE proposal = p.id AND status = 'ok') THEN 'ok'
         WHEN EXISTS (SELECT 1 FROM calls WHERE proposal = p.id AND status NOT IN ('running', 'interrupted')) THEN 'failed'
         ELSE 'pending' END AS status,
    (SELECT count(*) FROM calls WHERE proposal = p.id AND status = 'ok') AS replicates{means}
FROM proposals p;
CREATE VIEW best_so_far AS SELECT row_number() OVER (ORDER BY c.number) AS label, c.number AS call, p.smiles, c.status{bests}
FROM calls c JOIN proposals p ON p.id = c.proposal
WHERE NOT c.given AND c.status NOT IN ('running', 'interrupted');
"""


def _value(name: str) -> str:
    """The value of an output in a call ``c``."""
    return f"(SELECT value FROM outcomes WHERE call = c.number AND output = {text(name)})"


def _mean(name: str) -> str:
    """The mean of an output over the replicates of a proposal ``p``."""
    return f"""(SELECT avg(o.value) FROM calls m JOIN outcomes o ON o.call = m.number
     WHERE m.proposal = p.id AND m.status = 'ok' AND o.output = {text(name)})"""


def _feasible(constraints: Constraints) -> str:
    """Whether a proposal ``p`` satisfies all; no value is no answer."""
    own = "NOT EXISTS (SELECT 1 FROM dropped d WHERE d.smiles = p.smiles)"
    return f"({' AND '.join([own, *map(_holds, constraints.paid)])})"


def _holds(constraint: Constraint) -> str:
    bound = repr(constraint.expression.bound)
    if constraint.expression.operator == "==":
        return f"abs({_mean(constraint.name)} - {bound}) <= 1e-9 * max(1, abs({bound}))"
    return f"{_mean(constraint.name)} {constraint.expression.operator} {bound}"


def text(value: str) -> str:
    """A string as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
