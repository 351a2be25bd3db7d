"""An adapter of the byte model as a file: safetensors, and the hash of its base."""

import json
from typing import Any

from selflow.core.errors import ArtifactError
from selflow.core.lora import LoraAdapter

ADAPTER_FILE = "adapter.safetensors"
_DOWN, _UP = ".lora_A", ".lora_B"
_HEADER_BYTES = 8
"""In front of a safetensors file: the length of its header."""


def pack_adapter(adapter: LoraAdapter) -> bytes:
    """As the bytes of a file."""
    from safetensors.numpy import save

    tensors = {}
    for name, (down, up) in sorted(adapter.factors.items()):
        tensors[name + _DOWN], tensors[name + _UP] = down, up
    return bytes(save(tensors, metadata={"base_sha256": adapter.base_sha256}))


def unpack_adapter(data: bytes) -> LoraAdapter:
    """What ``pack_adapter`` gave.

    Raises:
        ArtifactError: The bytes are no adapter.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(data)
        end = _HEADER_BYTES + int.from_bytes(data[:_HEADER_BYTES], "little")
        header: Any = json.loads(data[_HEADER_BYTES:end])
        factors = {
            name.removesuffix(_DOWN): (down, tensors[name.removesuffix(_DOWN) + _UP])
            for name, down in tensors.items()
            if name.endswith(_DOWN)
        }
        return LoraAdapter(str(header["__metadata__"]["base_sha256"]), factors)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{len(data):,} bytes are no adapter of the byte model",
            "the next selflow learn grows another agent",
        ) from error
