"""Whether the event log is whole: every record, and what is counted beside them."""

from pathlib import Path

import lmdb

from selflow.core.codec import decode_record, record_ts_us
from selflow.core.errors import StoreError, WireError
from selflow.store.erase import number
from selflow.store.log_format import (
    BUFFER_BYTES,
    CYCLE,
    LAST_SEQ,
    NEW_GONE,
    PAIR,
    U64,
    Tables,
    open_environment,
)

_MAX_NAMED = 10


def check_log(folder: Path) -> tuple[int, list[str]]:
    """How many records a log holds, and what is wrong with it; never a record's content.

    One transaction sees one moment, also while another process writes. Memory: a constant. Cost:
    reads and decodes every record.

    Raises:
        StoreError: It cannot be opened or read at all.
    """
    env, tables = open_environment(folder, 0, is_reader=True)
    try:
        with env.begin() as txn:
            return _faults(txn, tables)
    except lmdb.Error as error:
        raise StoreError(
            f"cannot read the event log {folder} ({type(error).__name__})",
            "its files are damaged: restore the folder from a backup",
        ) from error
    finally:
        env.close()


def _faults(txn: lmdb.Transaction, tables: Tables) -> tuple[int, list[str]]:
    last_seq, consumed_seq = (
        number(txn, LAST_SEQ, tables.meta),
        number(txn, CYCLE, tables.cursors),
    )
    broken: list[str] = []
    untimed: list[str] = []
    events = new_events = new_bytes = seq = 0
    with txn.cursor(tables.log) as cursor:
        for key, record in cursor:
            seq, events = int(U64.unpack(key)[0]), events + 1
            if seq > consumed_seq:
                new_events, new_bytes = new_events + 1, new_bytes + len(record)
            try:
                decode_record(record)
            except WireError:
                broken.append(f"{seq:,}")
                continue
            if txn.get(PAIR.pack(record_ts_us(record), seq), db=tables.times) is None:
                untimed.append(f"{seq:,}")
    times = txn.stat(tables.times)["entries"]
    faults = [
        _listed("cannot be decoded", broken),
        _listed("cannot be found by their time", untimed),
        f"{times:,} times of {events:,} events" if times != events else "",
        f"event {seq:,} lies behind the last number, {last_seq:,}" if seq > last_seq else "",
        _differs("bytes in the buffer", number(txn, BUFFER_BYTES, tables.meta), new_bytes),
        _differs(
            "events deleted from the buffer",
            number(txn, NEW_GONE, tables.meta),
            last_seq - consumed_seq - new_events,
        ),
    ]
    return events, [fault for fault in faults if fault]


def _listed(what: str, seqs: list[str]) -> str:
    shown = ", ".join(seqs[:_MAX_NAMED])
    more = f" and {len(seqs) - _MAX_NAMED:,} more" if len(seqs) > _MAX_NAMED else ""
    return f"events {shown}{more} {what}" if seqs else ""


def _differs(what: str, noted: int, counted: int) -> str:
    return f"{what}: {noted:,} are noted, {counted:,} are there" if noted != counted else ""
