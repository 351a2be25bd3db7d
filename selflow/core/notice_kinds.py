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
