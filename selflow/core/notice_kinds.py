"""What SelFlow tells by itself, type by type."""

from typing import Literal, get_args

NoticeKind = Literal[
    "pattern.new",
    "agent.promoted",
    "agent.rolled_back",
    "learning.stalled",
    "disk.full",
    "permission.asked",
]
NOTICE_KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)

Silence = Literal["", "limit", "quiet_hours", "muted", "demoted"]
"""Why a notice does not alert; empty if it does."""
