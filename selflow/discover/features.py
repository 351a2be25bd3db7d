"""Windows of events to vectors: four blocks of equal weight, projected to 16 numbers."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selflow.core.steps import label_event
from selflow.discover.windows import DAY_US, HOUR_US, Events, Ints, Windows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Blocks = Mapping[str, Floats]
"""Name of a block to (n, width)."""
HASHES = 4096
"""Columns that words and letter groups are hashed to."""
WIDTHS = {"kinds": 32, "text": 24}
"""Main directions of each hashed block."""
TIME_COLUMNS, COUNT_COLUMNS = 4, 3
COLUMNS = TIME_COLUMNS + COUNT_COLUMNS + sum(WIDTHS.values())
"""Of the stacked blocks of a window."""
DIMENSIONS = 16
"""Of the projection in which windows are clustered."""
MOST_OF_ONE_LABEL = 0.05
"""Of all events: what one label counts at most, so that it alone does not turn the directions."""
MOST_WINDOWS = 20_000
"""From which the directions are taken, evenly chosen: more would not turn them further."""
CHUNK = 4096
"""Windows that are encoded at once: their hashed words and letter groups fill memory."""
EPSILON = 1e-12
"""A length or a singular value below it is rounding."""
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
def fit_encoder(events: Events, windows: Windows, seed: int) -> dict[str, Floats]:
    """Inverse document frequency of hashed words and letter groups, then their main directions;
    each window is a document.

    Args:
        events: e rows.
        windows: n runs of those rows.
        seed: Of the decomposition and of the random turn.

    Returns:
        Block to (4096, width): the square roots of a window's hashed features times this point in
        its direction.

    A window counts less where its labels are over 5% of all events. The directions are turned at
    random, so that each column carries the same share of its block: to leave out a column is not to
    leave out its signal.

    Source: latent semantic analysis, Deerwester et al. 1990; randomised SVD, Halko et al. 2011.
    """
    from sklearn.preprocessing import normalize
    from sklearn.utils.extmath import randomized_svd

    rng = np.random.default_rng([seed, 1])
    counts = np.bincount(events.label)
    usual = np.minimum(1, MOST_OF_ONE_LABEL * counts.sum() / np.maximum(counts, 1))[events.label]
    n = len(windows.start)
    chosen = np.unique(np.linspace(0, n - 1, min(n, MOST_WINDOWS)).astype(np.int64))
    pool = _pool(windows.start[chosen], windows.stop[chosen], len(events.step))
    size = np.maximum(windows.stop - windows.start, 1)[chosen]
    weight = np.sqrt(pool @ usual / size)[:, None]
    encoder = {}
    for name, hashed in _hashed(events.labels).items():
        document = np.sqrt(pool @ hashed[events.label])
        idf = np.log((1 + n) / (1 + np.bincount(document.indices, minlength=HASHES))) + 1
        rows = normalize(document.multiply(idf)).multiply(weight).tocsr()
        axes = randomized_svd(rows, WIDTHS[name], random_state=seed)[2]
        turn, _ = np.linalg.qr(rng.standard_normal((len(axes), len(axes))))
        encoder[name] = idf[:, None] * (axes.T @ turn)
    return encoder


def blocks_of(encoder: Mapping[str, Floats], events: Events, windows: Windows) -> dict[str, Floats]:
    """Hours and counts as means over the events of each window; what was done as the mean of two
    directions, that of the window and that of its session. It looks at nothing else.

    Args:
        encoder: From ``fit_encoder``.
        events: e rows.
        windows: n runs of those rows.

    Returns:
        Block to (n, width): ``time`` 4, ``counts`` 3, ``kinds`` 32, ``text`` 24; zeros for an empty
        window.

    Two windows of one session are likelier of one activity than two others, and a few events say
    less than many. A count's square root stands for it: the tenth time says less than the first.

    Cost: about 20 us per event.
    Source: cosine distance and sublinear term frequencies, Salton and Buckley 1988.
    """
    spans = np.column_stack([windows.first, windows.last])
    sessions, session = np.unique(spans, axis=0, return_inverse=True)
    size = np.maximum(windows.stop - windows.start, 1)[:, None]
    pool = _pool(windows.start, windows.stop, len(events.step))
    columns = {"time": _time(events.ts_us), "counts": _counts(events)}
    blocks: dict[str, Floats] = {name: pool @ values / size for name, values in columns.items()}
    for name, hashed in _hashed(events.labels).items():
        rows = hashed[events.label]
        own = _directions(rows, encoder[name], windows.start, windows.stop)
        whole = _directions(rows, encoder[name], sessions[:, 0], sessions[:, 1])
        blocks[name] = (own + whole[session.ravel()]) / 2
    return blocks


def content_of(
    encoder: Mapping[str, Floats], events: Events, windows: Windows
) -> dict[str, Floats]:
    """What was done in each window alone: block to (n, width), ``kinds`` 32 and ``text`` 24.

    A window is as long as the encoder knows its features: one of things that never were is near 0.
    """
    content = {}
    for name, hashed in _hashed(events.labels).items():
        rows = hashed[events.label]
        points, mass = _project(rows, encoder[name], windows.start, windows.stop)
        content[name] = points / np.sqrt(np.maximum(mass, EPSILON))[:, None]
    return content


def _directions(hashed: "csr_array", axes: Floats, start: Ints, stop: Ints) -> Floats:
    """(n, width) of length 1, or 0 where nothing is: the direction of each run of rows."""
    points, _ = _project(hashed, axes, start, stop)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    unit: Floats = np.divide(points, length, out=np.zeros_like(points), where=length > EPSILON)
    return unit


def _project(hashed: "csr_array", axes: Floats, start: Ints, stop: Ints) -> tuple[Floats, Floats]:
    """(n, width): the square roots of each run's features times ``axes``; (n,): their sum."""
    rows, masses = [np.zeros((0, axes.shape[1]))], [np.zeros(0)]
    for at in range(0, len(start), CHUNK):
        features = _pool(start[at : at + CHUNK], stop[at : at + CHUNK], hashed.shape[0]) @ hashed
        rows.append(np.sqrt(features) @ axes)
        masses.append(np.asarray(features.sum(1)).ravel())
    return np.vstack(rows), np.concatenate(masses)


def _pool(start: Ints, stop: Ints, rows: int) -> "csr_array":
    """(n, rows) sparse: 1 for each row of a run."""
    from scipy.sparse import csr_array

    size = stop - start
    ends = np.concatenate([[0], np.cumsum(size)])
    index = np.arange(ends[-1]) - np.repeat(ends[:-1] - start, size)
    return csr_array((np.ones(len(index)), index, ends), shape=(len(size), rows))


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
        scale[used] = share / np.sqrt(first) if first > EPSILON else 0.0
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


def _hashed(labels: tuple[str, ...]) -> "dict[str, csr_array]":
    """Block to (l, 4096) sparse, not negative: of each label of length 1."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import HashingVectorizer

    own = {
        "kinds": HashingVectorizer(analyzer=label_parts, n_features=HASHES, alternate_sign=False),
        "text": HashingVectorizer(
            analyzer="char_wb", ngram_range=(3, 4), n_features=HASHES, alternate_sign=False
        ),
    }
    return {name: csr_array(vectorizer.transform(labels)) for name, vectorizer in own.items()}


def label_parts(label: str) -> list[str]:
    """Of a path: kind, last two folders, extension and name words, each marked as what it is; of a
    line of text: kind and words.
    """
    kind, subject = label_event(label)
    if not kind.startswith("file.") and len(subject.split()) > 1:
        return [f"kind:{kind}", *(f"word:{term}" for term in words(subject))]
    *folders, name = subject.split("/")
    stem, _, extension = name.rpartition(".")
    marked = [f"kind:{kind}", f"ext:{extension if stem else ''}", f"under:{'/'.join(folders[-2:])}"]
    return (
        marked
        + [f"dir:{folder}" for folder in folders[-2:]]
        + [f"word:{term}" for term in words(stem or name)]
    )


def _time(ts_us: Ints) -> Floats:
    """(e, 4) hour and weekday, each as a point of a circle. The day of the month has no part in it:
    in the first month no other day is like today, and all that comes would be far from all that
    was.
    """
    turns = (ts_us % DAY_US / DAY_US, ts_us % (7 * DAY_US) / (7 * DAY_US))
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
