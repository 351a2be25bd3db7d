"""Pictures of the newest discovery, drawn with matplotlib (extra ``plot``)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selflow.core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]
_COLOURS = (
    *("#2b5bba", "#c27f10", "#0c6045", "#bf3c89"),
    *("#179ab8", "#98321d", "#7b763a", "#232a33"),
)
"""The series of the web page, by number of the cluster; all others are grey."""
_REST = "#838c97"
_MARKERS = ("o", "s", "^", "D", "v", "<", "P", "X")


def write_plots(
    document: dict[str, Any], points: dict[str, bytes], folder: Path, kind: Format
) -> list[Path]:
    """A picture of the map for each view, of how often clusters are kept together, and of how far
    families agree.

    Args:
        document: As ``PatternMap.document`` gives it.
        points: The bytes of each view.
        folder: Where they are written; files of the same names are replaced.
        kind: Of the files.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "pictures need matplotlib, which is not installed",
            "pip install 'selflow[plot]'",
        ) from error
    figures = {f"map-{view}": _map(Figure(), document, view, own) for view, own in points.items()}
    share = "share of clusterings that keep two windows together"
    figures["together"] = _matrix(Figure(), document["together"], share)
    figures["agreement"] = _matrix(
        Figure(), document["agreement"], "adjusted mutual information of the families"
    )
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.{kind}"
        # No date, and ids that do not change: the same patterns give the same file
        figure.savefig(path, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
        paths.append(path)
    return paths


def _map(figure: "Figure", document: dict[str, Any], view: str, content: bytes) -> "Figure":
    import numpy as np

    points = np.frombuffer(content, np.dtype([("x", "<f4"), ("y", "<f4"), ("label", "<i2")]))
    figure.set_size_inches(8, 6)
    axes = figure.add_subplot()
    for label in np.unique(points["label"]):
        own = points[points["label"] == label]
        is_told = 0 <= label < len(_COLOURS)
        name = f"cluster {label + 1}"
        if view == "consensus":
            name = document["names"].get(str(label), name)
        axes.scatter(
            own["x"],
            own["y"],
            s=9,
            alpha=0.7,
            linewidths=0,
            color=_COLOURS[label] if is_told else _REST,
            marker=_MARKERS[label] if is_told else "o",
            label=_plain(name) if label >= 0 else "in no cluster",
        )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(
        f"{view}: {document['points']:,} of {document['windows']:,} windows\n"
        "a projection: distances between groups are not to scale",
        fontsize=10,
    )
    axes.legend(fontsize=7, loc="best")
    return figure


def _matrix(figure: "Figure", matrix: dict[str, Any], title: str) -> "Figure":
    names = [_plain(name) for name in matrix["names"]]
    side = max(4.0, 1.5 + 0.5 * len(names))
    figure.set_size_inches(side + 1.5, side)
    axes = figure.add_subplot()
    image = axes.imshow(matrix["values"], vmin=0, vmax=1, cmap="cividis")
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for row, values in enumerate(matrix["values"]):
        for column, value in enumerate(values):
            colour = "black" if value > 0.5 else "white"
            axes.text(
                column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=colour
            )
    axes.set_title(title, fontsize=10)
    figure.colorbar(image)
    figure.tight_layout()
    return figure


def _plain(name: str) -> str:
    """A name as text: matplotlib reads what stands between dollars as mathematics."""
    return name.replace("$", r"\$")
