"""The strings of a block as a guard follows them: what may be said next, row by row, in integers of one fixed shape.

What tokens mean comes in as tables (`Rules`; `molvae.chem.grammar` makes them). A row knows its atoms by number (0 is
nobody), the atoms whose branches are open, and of every ring number the atom that opened it. Aromatic atoms that an
unwritten bond joins form a system; the atoms of one that need a double bond inside it must come in pairs, so their number
must be even when nothing can change it any more.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

Row = Int[Tensor, " rows"]
Column = Int[Tensor, "rows 1"]


_TABLES = ("states", "system", "odd", "stack", "opener", "opened_as", "blocked")
"""What a guard knows of each row, beside single numbers."""


class Rules(Protocol):
    """The tables; see `molvae.chem.grammar.Grammar`, which has them."""

    @property
    def slots(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def order(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def written(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def syntax(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def extra(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def rings(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def events(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def raised(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def needs_double(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def aromatic(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def max_open(self) -> int: ...  # noqa: D102
    @property
    def soft(self) -> float: ...  # noqa: D102
    @property
    def hard(self) -> float: ...  # noqa: D102


class Guard:
    """A block of strings that are being written. Alternate `penalties` and `take`.

    Args:
        rules: what the tokens mean.
        rows: strings of the block.
        max_length: of a string, its end included.
        device: of the tensors.
    """

    def __init__(self, rules: Rules, rows: int, max_length: int, device: torch.device | str = "cpu"):
        def table(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device)

        self.slots, self.order, self.written = table(rules.slots), table(rules.order), table(rules.written)
        self.syntax, self.extra, self.rings = table(rules.syntax), table(rules.extra), table(rules.rings)
        self.events, self.raised = table(rules.events), table(rules.raised)
        self.needs_double = table(rules.needs_double)
        self.num_tokens, self.num_rings = len(rules.slots), int(rules.slots.max())
        self.num_phases = len(rules.order)
        self.num_states = len(rules.rings) // self.num_phases
        self.max_open, self.soft, self.hard = rules.max_open, rules.soft, rules.hard
        self.max_length, self.finished = max_length, self.num_phases - 1
        atoms, depth = max_length + 2, max_length // 3 + 2  # a branch takes three tokens
        self.row = torch.zeros(8, rows, dtype=torch.int64, device=device)
        self.states, self.system, self.odd = (self.row.new_zeros(rows, atoms) for _ in range(3))
        self.stack = self.row.new_zeros(rows, depth)
        self.opener, self.opened_as = (self.row.new_zeros(rows, self.num_rings + 1) for _ in range(2))
        self.blocked = torch.zeros_like(self.opener, dtype=torch.bool)
        self._number(self.row)
        self.phase.fill_(self.finished)

    def _number(self, row: Int[Tensor, "numbers rows"]) -> None:
        """Take these numbers of each row for one's own; the names are views."""
        self.row = row
        self.phase, self.current, self.atoms, self.depth, self.num_open, self.total, self.shared, self.left = row

    def begin(self, rows: Int[Tensor, " some"]) -> None:
        """Let new strings begin in some rows."""
        self.row[:, rows] = 0
        self.left[rows] = self.max_length - 2  # tokens that may follow the first, and leave room for the end
        for name in _TABLES:
            getattr(self, name)[rows] = 0

    def snapshot(self, rows: Int[Tensor, " some"] | None = None) -> Int[Tensor, "some memory"]:
        """All that is known of some rows, or of all, to go on from by `restore`."""
        tables = [self.row.t(), *(getattr(self, name) for name in _TABLES)]
        tables = tables if rows is None else [table.index_select(0, rows) for table in tables]
        return torch.cat([table.to(torch.int16) for table in tables], dim=1)

    def restore(self, rows: Int[Tensor, " some"], memory: Int[Tensor, "some memory"]) -> None:
        """Let strings go on in some rows."""
        tables = [getattr(self, name) for name in _TABLES]
        numbers, *parts = torch.split(memory, [len(self.row), *(table.shape[1] for table in tables)], dim=1)
        self.row[:, rows] = numbers.t().to(self.row.dtype)
        for table, part in zip(tables, parts, strict=True):
            table[rows] = part.to(table.dtype)

    def keep(self, rows: Int[Tensor, " some"]) -> None:
        """Forget all rows but these."""
        for name in _TABLES:
            setattr(self, name, getattr(self, name)[rows])
        self._number(self.row[:, rows])

    def penalties(self) -> Float[Tensor, "rows vocab"]:
        """What the score of each token loses: 0, or so much that no allowed token is worse."""
        self._look()
        bits = self.situation
        for bit in (self.is_odd, self.changes_elsewhere, self.num_open == 0, self.num_own > 0):
            bits = bits * 2 + bit
        penalties = self.syntax.index_select(0, bits)
        context = self.order.index_select(0, self.phase) * (self.max_open + 1) + self.total
        for bit in (self.shared, self.opens_here, self.spare, self.top_spare, self.depth > 0):
            context = context * 2 + bit
        room = self.left - self.depth - self.num_open
        penalties.masked_fill_(self.extra.index_select(0, context) > room[:, None], self.hard)
        return penalties.add_(self._ring_penalties(room).index_select(1, self.slots))

    def _look(self) -> None:
        """What several rules ask of the present state."""
        current = self.current[:, None]
        self.state = self.states.gather(1, current)[:, 0]
        self.situation = self.phase * self.num_states + self.state
        self.own = self.system.gather(1, current)  # (rows, 1)
        self.is_odd = self.odd.gather(1, self.own)[:, 0]
        # Open branches: whether an atom has valence left, whether one of the same system could change its need.
        stack = self.stack[:, : max(1, int(self.depth.max()))]
        states = self.states.gather(1, stack)
        has_valence = states >= 4
        self.spare = has_valence.any(1)
        self.any_changes = (has_valence & (states & 2).bool()).any(1)
        same = (self.system.gather(1, stack) == self.own) & has_valence
        self.stack_changes = (same & (states & 2).bool()).any(1)
        self.top = self.stack.gather(1, (self.depth - 1).clamp_(min=0)[:, None])
        top_has_valence = self.states.gather(1, self.top)[:, 0] >= 4
        # Open ring bonds.
        self.is_open = self.opener > 0
        self.opens_here = (self.opener == current).any(1) & (self.current > 0)
        self.top_spare = top_has_valence & ~(self.opener == self.top).any(1)
        self.of_own = (self.system.gather(1, self.opener) == self.own) & self.is_open & (self.own > 0)
        self.num_own = self.of_own.sum(1)
        self.changes_elsewhere = ((self.num_own > 0) & same.any(1)) | self.stack_changes

    def _ring_penalties(self, room: Row) -> Float[Tensor, "rows rings"]:
        """What each ring number loses; the last column is of the tokens that are none."""
        info = self.rings.index_select(0, self.situation)
        may_open, left, changes, changed = info[:, 0], info[:, 1], info[:, 5], info[:, 6]
        wayout = (left > 0) | self.spare
        pending = self.written.index_select(0, self.phase)
        total = self.total + pending.clamp(min=1)
        can_open = (may_open > 0) & wayout & (total <= self.max_open) & (room >= total + 2)
        # A ring bond opened as a double one leaves less.
        after = torch.where(self.opened_as == 2, info[:, 7, None], left[:, None])
        rest = self.total[:, None] - self.opened_as.clamp(min=1)
        free = (self.shared == 0)[:, None]
        direct = (after >= rest) & free & ~(self.blocked & self.is_open).any(1, keepdim=True)
        one = (rest <= 3) & free & torch.where(after > 0, ~self.opens_here[:, None], self.top_spare[:, None])
        carbons = torch.where(one, 1, rest + (self.opens_here[:, None] | (after == 0)))
        possible = ((after > 0) | self.spare[:, None]) & (room[:, None] >= carbons - 1)
        fits = torch.where(direct | (self.num_open == 1)[:, None], room[:, None] >= -1, possible)
        # An opener that was counted for a single bond pays for a double one now; what it pays with may have been the way out.
        openers = self.states.gather(1, self.opener)
        raises = (pending == 2)[:, None] & (self.opened_as == 0) & ((openers & 3) != 2)
        payable = ~raises | ((openers >= 4) & ((openers >= 8) | (after > 0) | (self.num_open == 1)[:, None]))
        can_close = (info[:, 2:5].gather(1, self.opened_as) > 0) & ~self.blocked & fits & payable
        penalties = torch.where(self.is_open, can_close, can_open[:, None]).logical_not_() * self.hard
        penalties.add_(self._left_unpaired(changes, changed) * self.soft)
        penalties[:, -1] = 0
        return penalties

    def _left_unpaired(self, changes: Row, changed: Row) -> Bool[Tensor, "rows rings"]:
        """Open ring numbers after whose closing an aromatic system could not be paired any more."""
        pending = self.written.index_select(0, self.phase)
        systems = self.system.gather(1, self.opener)
        foreign = (systems != self.own) & self.is_open
        # The current atom's system, by a bond within it or to an atom that is not aromatic.
        stuck = (self.own[:, 0] > 0) & ~self.stack_changes & (changes == 0)
        odd = (self.is_odd ^ changed) > 0
        within = self.of_own & (stuck & odd & (self.num_own == 1))[:, None]
        outside = (systems == 0) & self.is_open & (stuck & odd & (self.num_own == 0))[:, None]
        # The other end's, if this is its last ring bond and the two do not become one.
        last = (systems[:, :, None] == systems[:, None, :]).sum(2) == 1
        odd_there = (self.odd.gather(1, systems) > 0) & (systems > 0) & last & ~self.any_changes[:, None]
        joins = (pending == 0) & (self.own[:, 0] > 0)
        return within | outside | (foreign & odd_there & ~joins[:, None] & (pending != 2)[:, None])

    def take(self, token: Row) -> None:
        """Go on by one token in each row; `penalties` must have been asked before."""
        slot = self.slots.index_select(0, token)[:, None]
        opener, opened_as = self.opener.gather(1, slot), self.opened_as.gather(1, slot)[:, 0]
        word = torch.where(opened_as == 2, self.num_tokens, token)
        event = self.events.index_select(0, self.situation * (self.num_tokens + 1) + word)
        phase, state, flips, is_atom, new_state, new_need, joins, pushes, pops = event.unbind(1)
        self.states.scatter_(1, self.current[:, None], state[:, None])
        self.odd.scatter_(1, self.own, (self.is_odd ^ flips)[:, None])
        running = self.phase != self.finished
        self._ring_bond(slot, opener, opened_as, is_atom, running)
        self._new_atom(is_atom, new_state, new_need, joins)
        self.stack.scatter_(1, (self.depth - pops).clamp_(min=0)[:, None], (self.parent * pushes)[:, None])
        self.depth += pushes - pops
        self.current.copy_(torch.where(pops > 0, self.top[:, 0], self.current))
        self.phase.copy_(phase)
        self.left -= 1

    def _ring_bond(
        self, slot: Column, opener: Column, opened_as: Row, is_atom: Row, running: Bool[Tensor, " rows"]
    ) -> None:
        """Open or close the ring bond of the token, if it is one."""
        is_ring = (slot[:, 0] < self.num_rings) & running
        closes = (opener[:, 0] > 0) & is_ring
        opens = is_ring & ~closes
        pending = self.written.index_select(0, self.phase)
        self._odd_ends(closes, opener, opened_as, pending)
        self.opener.scatter_(1, slot, (self.current * opens)[:, None])
        self.opened_as.scatter_(1, slot, (pending * opens)[:, None])
        self.total += pending.clamp(min=1) * opens - opened_as.clamp(min=1) * closes
        self.num_open += opens.long() - closes.long()
        self.shared.copy_((self.shared.bool() | (opens & self.opens_here)) & (self.num_open > 0))
        # What the next ring bond of this atom must not close: those of its neighbours and its own.
        neighbour = torch.where(closes, opener[:, 0], self.current)[:, None]
        self.blocked = (self.blocked & (is_atom == 0)[:, None]) | (self.opener == neighbour)

    def _odd_ends(self, closes: Bool[Tensor, " rows"], opener: Column, opened_as: Row, pending: Row) -> None:
        """Ring bonds that change something at their far end, which are few: double ones, and those that join systems."""
        other = self.system.gather(1, opener)
        raised = closes & (pending == 2) & (opened_as == 0)
        joined = closes & (pending == 0) & (other[:, 0] > 0) & (self.own[:, 0] > 0) & (other != self.own)[:, 0]
        if not bool((raised | joined).any()):
            return
        old = self.states.gather(1, opener)[:, 0]
        new = torch.where(raised, self.raised.index_select(0, old), old)
        self.states.scatter_(1, opener, new[:, None])
        changed = self.needs_double.index_select(0, old) ^ self.needs_double.index_select(0, new)
        self.odd.scatter_(1, other, self.odd.gather(1, other) ^ changed[:, None])
        moved = self.odd.gather(1, other) * joined[:, None]
        self.odd.scatter_(1, self.own, self.odd.gather(1, self.own) ^ moved)
        self.system = torch.where(joined[:, None] & (self.system == other), self.own, self.system)

    def _new_atom(self, is_atom: Row, state: Row, need: Row, joins: Row) -> None:
        """Number the token's atom, if it is one, and make it the current one."""
        self.parent = self.current.clone()
        self.atoms += is_atom
        number = self.atoms * is_atom
        self.states.scatter_(1, number[:, None], state[:, None])
        aromatic = is_atom * ((state & 3) > 0)
        joined = (joins > 0) & (self.num_open > 0)
        own = torch.where(joined, self.own[:, 0], self.atoms) * aromatic
        self.system.scatter_(1, number[:, None], own[:, None])
        pairs = need * aromatic
        self.odd.scatter_(1, own[:, None], self.odd.gather(1, own[:, None]) ^ pairs[:, None])
        self.current.copy_(torch.where(is_atom > 0, self.atoms, self.current))
