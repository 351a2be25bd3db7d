"""Arrays as msgpack values, and the one way in which states are packed. No pickle."""

from typing import Any, cast

import msgpack
import numpy as np
from numpy.typing import NDArray

from selflow.core.errors import ShapeError

Packed = Any
"""What msgpack holds: numbers, texts, bytes, lists and maps of those."""

_DTYPES = frozenset({"float64", "int32", "int64"})


def pack_array(array: NDArray[Any]) -> Packed:
    """An array as [dtype, shape, bytes]."""
    return [array.dtype.name, list(array.shape), array.tobytes()]


def unpack_array(packed: Packed) -> NDArray[Any]:
    """The array that was packed; a new, writable copy. ValueError for anything else."""
    dtype, shape, data = packed
    if dtype not in _DTYPES:
        raise ValueError("invalid dtype of an array")
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def pack_state(schema: str, state: Packed) -> bytes:
    """A state under its schema, which holds its version."""
    return cast("bytes", msgpack.packb({"schema": schema, "state": state}))


def unpack_state(schema: str, data: bytes) -> Packed:
    """The state of that schema.

    Raises:
        ShapeError: The bytes are no state, or one of another schema or version.
    """
    try:
        raw = msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ShapeError(
            f"the {len(data):,} bytes are not a saved state", "learn again from the event log"
        ) from error
    if not isinstance(raw, dict) or raw.get("schema") != schema:
        raise ShapeError(
            f"the saved state is not of schema {schema}", "learn again from the event log"
        )
    return raw["state"]
