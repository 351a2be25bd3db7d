"""Notices and how much of them was acted on: the same document for the API and the command line."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from selflow.core.notice_kinds import NOTICE_KINDS
from selflow.govern.notices import ActedShare, PastNotice, acted_shares
from selflow.store.notice_records import Notice
from selflow.store.notice_view import is_unread, notice_item


def notices_document(
    known: Sequence[Notice], shown: Iterable[Notice], muted: Collection[str]
) -> dict[str, Any]:
    """In the shape of ``GET /api/notices``."""
    shares, none = shares_of(known), ActedShare(0, 0)
    by_kind = {kind: shares.get(kind, none) for kind in NOTICE_KINDS}
    return {
        "items": [notice_item(one) for one in shown],
        "unread": sum(map(is_unread, known)),
        "kinds": [
            {
                "kind": kind,
                "notices": share.notices,
                "acted": share.acted,
                "acted_fraction": share.fraction,
                "is_demoted": share.is_demoted,
                "is_muted": kind in muted,
            }
            for kind, share in by_kind.items()
        ],
        "next": None,
    }


def shares_of(notices: Iterable[Notice]) -> dict[str, ActedShare]:
    """How many of each kind were acted on."""
    return acted_shares(
        PastNotice(
            one.kind,
            one.at_us,
            not one.silence,
            one.silence == "demoted",
            one.acted_at_us is not None,
        )
        for one in notices
    )
