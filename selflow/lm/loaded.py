"""A base in memory and the adapters on it. Nothing is fetched; nothing but safetensors and JSON is
read.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as hf_logging

from selflow.core.content_hash import folder_sha256
from selflow.core.errors import ArtifactError, UsageError
from selflow.lm.encoding import StepEncoder
from selflow.lm.label_tokens import LabelVocabulary

AGENT_SCHEMA = "selflow.lm.agent/1"
AGENT_FILE, CONFIG_FILE, WEIGHTS_FILE = (
    "agent.json",
    "adapter_config.json",
    "adapter_model.safetensors",
)
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""What an adapter adapts in each of its layers."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError)
"""What libraries raise over a folder that is not what it should be."""

# Advice of the library to those who program with it does not belong on an owner's terminal
hf_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
warnings.filterwarnings("ignore", module=r"(transformers|peft|huggingface_hub)(\..*)?$")


@dataclass(slots=True)
class LoadedBase:
    """One base, and by name all adapters that were added to it. Not for two threads at once."""

    model: Any
    """The transformers model, or PEFT's around it as long as there is an adapter."""
    tokenizer: Any
    vocabulary: LabelVocabulary
    sha256: str
    """The base's identity: ``folder_sha256`` of its folder."""
    encoder: StepEncoder
    adapters: set[str] = field(default_factory=set)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return cast("torch.device", self.model.device)

    def rows(self, names: Sequence[str | None]) -> dict[str, list[str]]:
        """Arguments that give each row of a batch its adapter (None: the base alone), for the model
        and ``generate``.

        Raises:
            UsageError: An adapter was never added.
        """
        if missing := [name for name in names if name is not None and name not in self.adapters]:
            raise UsageError(
                f"unknown agent on this base: {missing[0]!r}", "`selflow agents` names them"
            )
        every = ["__base__" if name is None else key(name) for name in names]
        return {"adapter_names": every} if self.adapters else {}

    def hidden(self, ids: torch.Tensor, names: Sequence[str | None] | None = None) -> torch.Tensor:
        """(B, T, D) outputs of the last layer for tokens (B, T), padded on the right; None is
        PEFT's active adapter.
        """
        rows = self.rows(names) if names is not None else {}
        out = self.model(ids, output_hidden_states=True, logits_to_keep=1, use_cache=False, **rows)
        return cast("torch.Tensor", out.hidden_states[-1])


def load_base(folder: Path, device: str = "cpu") -> LoadedBase:
    """Load a base folder.

    Raises:
        ArtifactError: It is no base of this version, or its weights are not in safetensors form.
    """
    vocabulary = LabelVocabulary.load(folder)
    try:
        model, tokenizer = read_model(folder)
    except UNREADABLE as error:
        raise ArtifactError(
            f"base {folder.name} does not load", "a learning cycle makes a new one"
        ) from error
    return LoadedBase(
        model.to(device),
        tokenizer,
        vocabulary,
        folder_sha256(folder),
        StepEncoder(vocabulary, tokenizer),
    )


def read_model(folder: Path) -> tuple[Any, Any]:
    """Model (float32, for evaluation) and tokenizer of a transformers folder; raises what
    transformers raises.
    """
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def add_adapter(loaded: LoadedBase, name: str, folder: Path) -> None:
    """Put an adapter on the base under a name; one of the same name is replaced.

    Raises:
        ArtifactError: It was made for another base, or is not what ``LoraRun.export`` writes.
    """
    _check_adapter(folder, loaded.sha256)
    remove_adapter(loaded, name)
    try:
        config = LoraConfig.from_pretrained(str(folder))
        config.base_model_name_or_path, config.inference_mode = None, True
        if loaded.adapters:
            loaded.model.add_adapter(key(name), config)
        else:
            loaded.model = get_peft_model(loaded.model, config, adapter_name=key(name))
        loaded.adapters.add(name)
        loaded.model.load_adapter(folder, adapter_name=key(name), torch_device=str(loaded.device))
    except UNREADABLE as error:
        remove_adapter(loaded, name)
        raise ArtifactError(
            f"adapter {folder.name} does not fit its base", "let a learning cycle train it again"
        ) from error
    loaded.model.eval()


def remove_adapter(loaded: LoadedBase, name: str) -> None:
    """Take an adapter off the base; without one of that name nothing happens."""
    if name in loaded.adapters:
        loaded.adapters.remove(name)
        if loaded.adapters:
            loaded.model.delete_adapter(key(name))
        else:
            loaded.model = loaded.model.unload()


def write_adapter(loaded: LoadedBase, name: str, folder: Path) -> None:
    """Write an adapter as PEFT reads it, with ``agent.json``; the same adapter gives the same
    bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = get_peft_model_state_dict(loaded.model, adapter_name=key(name))
    save_file(
        {name: weights[name].contiguous().cpu() for name in sorted(weights)}, folder / WEIGHTS_FILE
    )
    config = loaded.model.peft_config[key(name)].to_dict()
    config |= {"base_model_name_or_path": loaded.sha256, "inference_mode": True}
    agent = {"schema": AGENT_SCHEMA, "base": loaded.sha256, "base_name": loaded.vocabulary.name}
    for file, document in ((CONFIG_FILE, config), (AGENT_FILE, agent)):
        (folder / file).write_text(
            json.dumps(document, sort_keys=True, default=sorted), encoding="utf-8"
        )


def key(name: str) -> str:
    """An adapter's name inside PEFT, whose module dictionaries know no dots and refuse the names of
    their methods.
    """
    return "agent:" + name.replace(".", ":")


def _check_adapter(folder: Path, base_sha256: str) -> None:
    try:
        agent, config = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in (AGENT_FILE, CONFIG_FILE)
        )
        is_ours = (
            agent["schema"] == AGENT_SCHEMA
            and config["peft_type"] == "LORA"
            and not config.get("auto_mapping")
        )
        made_for = str(agent["base"])
    except UNREADABLE as error:
        raise ArtifactError(
            f"{folder.name} is not an adapter: {AGENT_FILE} or {CONFIG_FILE} is broken"
        ) from error
    if not is_ours or not (folder / WEIGHTS_FILE).is_file():
        raise ArtifactError(
            f"{folder.name} is not a LoRA adapter of this version in safetensors form"
        )
    if made_for != base_sha256:
        raise ArtifactError(
            f"adapter {folder.name} was made for base {made_for[:12]}; this base is "
            f"{base_sha256[:12]}",
            "let a learning cycle train the agent on this base",
        )
