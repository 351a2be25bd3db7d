"""A byte model of a few thousand random numbers."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from selflow.core.lora import LoraAdapter
from selflow.text.adapter_rows import AdapterRows
from selflow.text.adapter_tuner import AdapterPlan, AdapterTuner
from selflow.text.byte_context import VOCABULARY
from selflow.text.byte_model import CONFIG_FILE, WEIGHTS_FILE, ByteModel, Shape, load_byte_model
from selflow.text.lines import Packed

QUERY = "model.layers.1.self_attn.q_proj.weight"
LAYERS, WIDTH, HEADS, KV_HEADS, INNER = 2, 16, 4, 2, 24


def random_weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Tensors by name, (out, in)."""
    rng = np.random.default_rng(seed)
    kv_width = WIDTH // HEADS * KV_HEADS
    sizes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, WIDTH),
        "model.norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        sizes |= {
            f"{prefix}input_layernorm.weight": (WIDTH,),
            f"{prefix}post_attention_layernorm.weight": (WIDTH,),
            f"{prefix}self_attn.q_proj.weight": (WIDTH, WIDTH),
            f"{prefix}self_attn.k_proj.weight": (kv_width, WIDTH),
            f"{prefix}self_attn.v_proj.weight": (kv_width, WIDTH),
            f"{prefix}self_attn.o_proj.weight": (WIDTH, WIDTH),
            f"{prefix}mlp.gate_proj.weight": (INNER, WIDTH),
            f"{prefix}mlp.up_proj.weight": (INNER, WIDTH),
            f"{prefix}mlp.down_proj.weight": (WIDTH, INNER),
        }
    return {name: rng.normal(0.0, 0.3, size).astype(np.float32) for name, size in sizes.items()}


def tiny_model() -> ByteModel:
    """The model without a folder."""
    return ByteModel(Shape(LAYERS, WIDTH, HEADS, KV_HEADS, 1000.0, 1e-6), random_weights(), "tiny")


def write_model(folder: Path, seed: int = 0) -> Path:
    """The model's folder as transformers writes it."""
    config = {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "num_hidden_layers": LAYERS,
        "hidden_size": WIDTH,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 1000.0},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    (folder / WEIGHTS_FILE).write_bytes(save(random_weights(seed)))
    return folder


def random_model(folder: Path, seed: int = 0) -> ByteModel:
    """The model that was written there."""
    return load_byte_model(write_model(folder, seed))


def begun(model: ByteModel, adapter: LoraAdapter) -> Packed:
    """The state of what learns an adapter and has learned nothing since."""
    plan = AdapterPlan(max(len(down) for down, _ in adapter.factors.values()))
    at_hand = LoraAdapter(model.sha256, adapter.factors)
    return [AdapterRows().state(), AdapterTuner(model, plan, at_hand).state()]
