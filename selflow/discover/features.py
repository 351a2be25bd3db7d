"""Windows of events to vectors: four blocks of equal weight, projected to 16 numbers."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selflow.core.steps import label_event
from selflow.discover.windows import DAY_US, HOUR_US, Events, Ints, Windows

Floats = NDArray[np.float64]
Blocks = Mapping[str, Floats]
"""Name of a block to (n, width)."""
HASHES = 4096
"""Columns that words and letter groups are hashed to."""
WIDTHS = {"kinds": 32, "text": 24}
"""Main directions of each hashed block."""
DIMENSIONS = 16
"""Of the projection in which windows are clustered."""
MOST_OF_ONE_LABEL = 0.05
"""Of all events: what one label counts at most, so that it alone does not turn the directions."""
_ALPHANUMERIC = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a path or a command line."""
    return _ALPHANUMERIC.findall(text.lower())


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread: on matrices of this size more of them cost many times what they
    give.
    """
    import sklearn.cluster  # noqa: F401 - only what is loaded can be limited
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield


@one_thread()
def fit_encoder(events: Events, seed: int) -> dict[str, Floats]:
    """Inverse document frequency of hashed words and letter groups, then their main directions.

    Args:
        events: e rows over l different labels.
        seed: Of the decomposition and of the random turn.

    Returns:
        Block to (4096, width): a label's hashed features times this are its columns.

    A label counts as often as it happened, but never over 5% of all. The directions are turned at
    random, so that each column carries the same share of its block: to leave out a column is not to
    leave out its signal.

    Source: latent semantic analysis, Deerwester et al. 1990; randomised SVD, Halko et al. 2011.
    """
    from sklearn.utils.extmath import randomized_svd

    rng = np.random.default_rng([seed, 1])
    counts = np.bincount(events.label)
    weight = np.sqrt(np.minimum(counts, MOST_OF_ONE_LABEL * counts.sum()))[:, None]
    encoder = {}
    for name, hashed in _hashed(events.labels).items():
        idf = np.log((1 + len(counts)) / (1 + np.bincount(hashed.indices, minlength=HASHES))) + 1
        axes = randomized_svd(
            hashed.multiply(idf).multiply(weight).tocsr(), WIDTHS[name], random_state=seed
        )[2]
        turn, _ = np.linalg.qr(rng.standard_normal((len(axes), len(axes))))
        encoder[name] = idf[:, None] * (axes.T @ turn)
    return encoder


def blocks_of(encoder: Mapping[str, Floats], events: Events, windows: Windows) -> dict[str, Floats]:
    """The mean of each column over the events of each window. It looks at nothing else.

    Args:
        encoder: From ``fit_encoder``.
        events: e rows.
        windows: n runs of those rows.

    Returns:
        Block to (n, width): ``time`` 6, ``counts`` 3, ``kinds`` 32, ``text`` 24; zeros for an empty
        window.

    Cost: about 20 us per event.
    """
    from scipy.sparse import csr_array

    size = windows.stop - windows.start
    ends = np.concatenate([[0], np.cumsum(size)])
    rows = np.arange(ends[-1]) - np.repeat(ends[:-1] - windows.start, size)
    pool = csr_array(
        (np.repeat(1 / np.maximum(size, 1), size), rows, ends), shape=(len(size), len(events.step))
    )
    columns = {"time": _time(events.ts_us), "counts": _counts(events)}
    columns |= {
        name: (hashed @ encoder[name])[events.label]
        for name, hashed in _hashed(events.labels).items()
    }
    return {name: pool @ values for name, values in columns.items()}


def fit_axes(
    blocks: Blocks,
    weight: Floats,
    keep: NDArray[np.bool_] | None = None,
    balance: Mapping[str, float] | None = None,
) -> tuple[Floats, Floats]:
    """Each block divided by its own first singular value, then the main directions of all.

    Args:
        blocks: (n, width) each, d columns in all.
        weight: (n,), how much each window counts; not all 0.
        keep: (d,), which columns of the stacked blocks may be used; all, if None.
        balance: What each block counts beside the others, by its name; 1 if it is not named.

    Returns:
        Mean (d,) and axes (d, 16): a window x is projected to (x - mean) @ axes.

    Cost: O(n d^2 + d^3).
    Source: Escofier and Pages 1994, multiple factor analysis.
    """
    rows, part = stacked(blocks), weight / weight.sum()
    mean = part @ rows
    centred = (rows - mean) * np.sqrt(part)[:, None]
    spread = centred.T @ centred
    scale = np.zeros(len(spread))
    for name, columns in zip(sorted(blocks), columns_of(blocks), strict=True):
        used = columns if keep is None else columns[keep[columns]]
        first = np.linalg.eigvalsh(spread[np.ix_(used, used)])[-1]
        share = (balance or {}).get(name, 1.0)
        scale[used] = share / np.sqrt(first) if first > 1e-12 else 0.0
    axes = np.linalg.eigh(spread * np.outer(scale, scale))[1][:, ::-1][:, :DIMENSIONS]
    return mean, scale[:, None] * axes


def stacked(blocks: Blocks) -> Floats:
    """(n, d): the blocks side by side in the order of their names, whatever order they were given
    in.
    """
    return np.hstack([blocks[name] for name in sorted(blocks)])


def columns_of(blocks: Blocks) -> list[Ints]:
    """The indices of each block's columns in ``stacked``."""
    ends = np.cumsum([blocks[name].shape[1] for name in sorted(blocks)])
    return np.split(np.arange(ends[-1]), ends[:-1])


def _hashed(labels: tuple[str, ...]) -> dict[str, Any]:
    from sklearn.feature_extraction.text import HashingVectorizer

    own = {"kinds": HashingVectorizer(analyzer=label_parts, n_features=HASHES)}
    own["text"] = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=HASHES)
    return {name: vectorizer.transform(labels) for name, vectorizer in own.items()}


def label_parts(label: str) -> list[str]:
    """Kind, last two folders, extension and name words, each marked as what it is."""
    kind, subject = label_event(label)
    *folders, name = subject.split("/")
    stem, _, extension = name.rpartition(".")
    marked = [f"kind:{kind}", f"ext:{extension if stem else ''}", f"under:{'/'.join(folders[-2:])}"]
    return (
        marked
        + [f"dir:{folder}" for folder in folders[-2:]]
        + [f"word:{term}" for term in words(stem or name)]
    )


def _time(ts_us: Ints) -> Floats:
    days = ts_us // DAY_US
    month = (
        days.astype("datetime64[D]")
        .astype("datetime64[M]")
        .astype("datetime64[D]")
        .astype(np.int64)
    )
    turns = (ts_us % DAY_US / DAY_US, ts_us % (7 * DAY_US) / (7 * DAY_US), (days - month) / 31)
    return np.column_stack([wave(2 * np.pi * turn) for turn in turns for wave in (np.sin, np.cos)])


def _counts(events: Events) -> Floats:
    """(e, 3) logs of the gap before the step (at most an hour), its size, its user's events in the
    hour before.

    It looks back only, so that a window's columns never depend on what comes after it.
    """
    _, first, step, size = np.unique(
        events.step, return_index=True, return_inverse=True, return_counts=True
    )
    row = first[step]
    gap_us = np.clip(events.ts_us - events.ts_us[row - 1], 0, HOUR_US)
    gap_us[row == np.searchsorted(events.user, events.user)] = HOUR_US
    moment = events.ts_us + events.user * (np.ptp(events.ts_us) + 2 * HOUR_US)
    busy = row - np.searchsorted(moment, moment - HOUR_US)
    return np.column_stack([np.log1p(gap_us / 1e6), np.log1p(size[step]), np.log1p(busy)])
