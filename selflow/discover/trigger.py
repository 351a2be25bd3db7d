"""When a learning cycle begins by itself."""

from selflow.core.settings import BufferSettings


def missing_for_cycle(
    new_events: int, size_bytes: int, templates: int, days: int, limits: BufferSettings
) -> tuple[str, ...]:
    """Name what keeps a cycle from starting; empty means go. ``templates`` and ``days`` count
    different ones (UTC).
    """
    is_full = size_bytes >= limits.trigger_fraction * limits.budget_bytes
    wants = {
        "size": is_full or new_events >= limits.trigger_events,
        "diversity": templates >= limits.min_templates,
        "patterns": days >= limits.min_days,
    }
    return tuple(name for name, is_met in wants.items() if not is_met)
