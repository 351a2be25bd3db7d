"""What clustering a table alone gives: the rules that cluster and the command that shows it share
it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TableClusters:
    """``document`` is what ``selflow discover --json`` prints, ``labels`` the cluster of each row,
    -1 for noise; ``note`` is for the person who asked, empty if there is nothing to say.
    """

    document: Mapping[str, Any]
    labels: Sequence[int]
    note: str
