"""Which scorers are goldens and which are proxies: the pairs that a study is about.

As a rule every reward model is both. A scorer may be golden only (labels, people's grades, a verifier: no policy is
optimised against it) or proxy only, and a user may choose goldens. Arrays stay square, `[M, M]`; only these pairs
count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.formats import listed

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Roles:
    """Whether each of M scorers is golden, and whether it is a proxy."""

    goldens: tuple[bool, ...]
    proxies: tuple[bool, ...]

    @staticmethod
    def every(M: int) -> Roles:
        """All are both."""
        return Roles((True,) * M, (True,) * M)

    @staticmethod
    def chosen(names: Sequence[str], only: Sequence[str | None], goldens: Sequence[str] = ()) -> Roles:
        """Those of scorers whose stored roles are `only` (None: both), with these goldens if any are given.

        Without a choice, every reward model that is both is golden; if there are not two such, those that are golden
        only are. A single golden is no proxy. Raises UnknownName, and InvalidChoice if no proxy is left.
        """
        unknown = [name for name in goldens if name not in names]
        if unknown:
            raise UnknownName(f"no scorer {unknown[0]!r} to be golden; there are {listed(names)}")
        if goldens:
            golden = [name in goldens for name in names]
        else:
            golden = [role is None for role in only]
            if sum(golden) < 2 and "golden" in only:
                golden = [role == "golden" for role in only]
        single = sum(golden) == 1
        proxy = [role != "golden" and not (single and is_golden) for role, is_golden in zip(only, golden, strict=True)]
        roles = Roles(tuple(golden), tuple(proxy))
        if not roles.pairs_MM.any():
            given = [name for name, is_golden in zip(names, golden, strict=True) if is_golden]
            raise InvalidChoice(f"no reward model is left to be judged with the goldens {given}; choose others")
        return roles

    @property
    def golden_M(self) -> Bools:
        """Whether each is golden, `[M]`."""
        return np.array(self.goldens, dtype=bool)

    @property
    def proxy_M(self) -> Bools:
        """Whether each is a proxy, `[M]`."""
        return np.array(self.proxies, dtype=bool)

    @property
    def golden_only_M(self) -> Bools:
        """Whether each is a golden that is no proxy, `[M]`."""
        return self.golden_M & ~self.proxy_M

    @property
    def pairs_MM(self) -> Bools:
        """Which pairs of a golden and another scorer as its proxy count, `[M golden, M proxy]`."""
        return self.golden_M[:, None] & self.proxy_M & ~np.eye(len(self.goldens), dtype=bool)

    @property
    def same(self) -> bool:
        """Whether goldens and proxies are the same scorers: then both are a sample of reward models.

        Otherwise the goldens stay as they are, and figures are about these goldens.
        """
        return self.goldens == self.proxies

    def among(self, among_M: Bools) -> Roles:
        """With these reward models `[M]` only, and all goldens that are no proxies."""
        golden = self.golden_M & (among_M | ~self.proxy_M)
        return Roles(tuple(golden.tolist()), tuple((self.proxy_M & among_M).tolist()))

    def of(self, rows: Sequence[int]) -> Roles:
        """Those of some scorers, in this order."""
        return Roles(tuple(self.goldens[row] for row in rows), tuple(self.proxies[row] for row in rows))
