"""Who asks Ray for a GPU."""

from pathlib import Path

import pytest

from actors.plan import Plan, gpu_share
from selflow.core.paths import Root
from selflow.core.settings import LmSettings, Settings


@pytest.mark.setting("lm.device")
@pytest.mark.parametrize(
    ("device", "gpus", "asked"),
    [
        ("auto", 1, {"num_gpus": 0.2}),
        ("cuda", 2, {"num_gpus": 0.2}),
        ("cpu", 1, {}),
        ("auto", 0, {}),
        ("cuda", 0, {}),
    ],
)
def test_what_runs_a_model_asks_for_a_gpu_where_there_is_one_and_the_owner_lets_it(
    device: str, gpus: int, asked: dict[str, float], tmp_path: Path
) -> None:
    settings = Settings(lm=LmSettings.model_validate({"device": device}))
    share = gpu_share(settings, {"CPU": 2, "GPU": gpus})

    assert Plan(Root(tmp_path, tmp_path), settings, "1", 7731, False, share).accelerated() == asked
