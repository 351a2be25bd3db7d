"""What trials hold of the machine, by names that outlive the search that began them."""

from contextlib import suppress
from uuid import uuid4

from ray.util.placement_group import (
    get_placement_group,
    placement_group_table,
    remove_placement_group,
)

_PREFIX = "selflow-trial-"


def slot_name() -> str:
    """A name for the placement group of one trial; Ray wants each once."""
    return f"{_PREFIX}{uuid4().hex}"


def release_leftovers() -> None:
    """Give back what trials of dead searches hold, and end those that still run.

    Ray gives a placement group back when the job and the actor that made it have ended. A search is
    a task, and its job is the session: one that is killed would keep its cores until the session
    ends, and the next search would wait for them (decision 0015). No search of the same session may
    be at work.
    """
    names = [
        row["name"]
        for row in placement_group_table().values()
        if row["name"].startswith(_PREFIX) and row["state"] != "REMOVED"
    ]
    for name in names:
        with suppress(ValueError):  # gone meanwhile, with the job that made it
            remove_placement_group(get_placement_group(name))
