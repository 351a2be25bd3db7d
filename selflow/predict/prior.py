"""What a new owner's predictor starts from: weights that say how far to trust what, and names of
common programs.

``bench/make_prior.py`` makes both files, from changelogs, simulated shells and manual pages; nobody
is scored on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from selflow.core.errors import ShapeError
from selflow.predict.packing import Packed, pack_state, unpack_state
from selflow.predict.shared_counts import shipped_counts

PRIOR_SCHEMA = "selflow.predict.prior/2"
PRIOR_FILE = "prior.msgpack"


@dataclass(frozen=True, slots=True)
class Prior:
    """Packed states: the weights of the rankers and of the one that divides what is outside, and
    the scales of their inputs. The programs have a file of their own.
    """

    rankers: Packed
    inputs: Packed
    outside: Packed
    outside_inputs: Packed
    programs: Mapping[str, int] = field(default_factory=dict)


def encode_prior(prior: Prior) -> bytes:
    """The weights of a prior as the file that is shipped."""
    return pack_state(
        PRIOR_SCHEMA, [prior.rankers, prior.inputs, prior.outside, prior.outside_inputs]
    )


def decode_prior(data: bytes) -> Prior:
    """The prior in those bytes.

    Raises:
        ShapeError: They hold no prior of this version.
    """
    state = unpack_state(PRIOR_SCHEMA, data)
    if not isinstance(state, list) or len(state) != 4:
        raise ShapeError(
            f"the {len(data):,} bytes are not a prior",
            "write the file again with bench/make_prior.py",
        )
    return Prior(*state)


@cache
def shipped() -> Prior:
    """The prior that comes with SelFlow."""
    weights = decode_prior(files("selflow.predict").joinpath(PRIOR_FILE).read_bytes())
    return replace(weights, programs=shipped_counts())
