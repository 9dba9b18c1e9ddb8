"""One seed, split by name: every random draw of a run comes from here.

``streams("random", 3)`` is always the same block of the stream "random", in whatever order blocks are used. No stream
is shared, so no draw can shift another, and the same run on another number of workers draws the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np


@dataclass(frozen=True, slots=True)
class Streams:
    """The random streams of one seed."""

    seed: int

    def __call__(self, name: str, *key: int) -> np.random.Generator:
        """Return the generator of this name and key, always from its beginning."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(self._hash(name, key, 16))))

    def integer(self, name: str, *key: int) -> int:
        """Return a 32-bit number for this name and key: a seed for generators of other libraries."""
        return self._hash(name, key, 4)

    def _hash(self, name: str, key: tuple[int, ...], size: int) -> int:
        text = f"{self.seed}/{name}/{'/'.join(map(str, key))}"
        return int.from_bytes(blake2b(text.encode(), digest_size=size).digest(), "big")
