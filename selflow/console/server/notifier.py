"""Writes notices: the one place that does."""

import asyncio
import logging
from dataclasses import replace
from hashlib import blake2b

from selflow.console.notice_listing import shares_of
from selflow.console.server.notice_facts import NoticeFact, notice_facts
from selflow.console.server.read_model import ReadModel
from selflow.core.clock import as_datetime, owner_zone
from selflow.core.desktop_settings import NotificationSettings
from selflow.core.errors import SelFlowError
from selflow.govern.notices import AlertLimits, silence_of
from selflow.store.notice_records import Notice
from selflow.store.row_writer import writing

EVERY_S = 30.0
_log = logging.getLogger(__name__)


async def notify(model: ReadModel) -> None:
    """Look every ``EVERY_S``, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await asyncio.to_thread(write_notices, model)
        except SelFlowError as error:
            _log.warning("no notice was written: %s", error)


def write_notices(model: ReadModel) -> list[Notice]:
    """Write what is new; each alerts, or says why it does not."""
    now_us = model.clock.now_us()
    if not model.catalog.schema_version():
        return []
    known = {notice.id: notice for notice in model.catalog.learned(Notice)}
    fresh_facts = [one for one in notice_facts(model, now_us) if id_of(one) not in known]
    limits = alert_limits(model.settings().notifications)
    shares = shares_of(known.values())
    now = as_datetime(now_us).astimezone(owner_zone())
    minute = now.hour * 60 + now.minute
    alerts = sum(
        not one.silence and as_datetime(one.at_us).astimezone(owner_zone()).date() == now.date()
        for one in known.values()
    )
    written = []
    for fact in fresh_facts:
        silence = silence_of(fact.kind, minute, alerts, shares, limits)
        alerts += not silence
        written.append(Notice(id_of(fact), fact.kind, fact.subject, silence, now_us))
    if written:
        with writing(model.location) as rows:
            for notice in written:
                rows.insert(notice)
    return written


def mark(model: ReadModel, notices: list[Notice], actor: str, *, is_acted: bool) -> list[Notice]:
    """Write down that the owner has read, or acted on, notices; an act is audited."""
    now_us = model.clock.now_us()
    marked = [
        replace(
            one,
            read_at_us=one.read_at_us or now_us,
            acted_at_us=(one.acted_at_us or now_us) if is_acted else one.acted_at_us,
        )
        for one in notices
    ]
    changed = [new for new, old in zip(marked, notices, strict=True) if new != old]
    if changed:
        with writing(model.location) as rows:
            for notice in changed:
                rows.update(notice)
                if is_acted:
                    rows.audit(now_us, actor, "notice.act", notice.id, {"kind": notice.kind})
    return marked


def id_of(fact: NoticeFact) -> str:
    """The same for the same fact."""
    return f"ntc_{blake2b('~'.join(fact).encode(), digest_size=10).hexdigest()}"


def alert_limits(section: NotificationSettings) -> AlertLimits:
    """The settings as the rule takes them."""
    return AlertLimits(section.per_day, section.quiet_minutes, frozenset(section.muted))
