"""What holds in every test with a model: one thread, so that tests side by side do not wait for
each other.
"""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
