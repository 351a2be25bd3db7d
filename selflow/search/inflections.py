"""The words of the index, and which of them are forms of one: "change", "changes", "changed".

The index holds words as they are written, so that the beginning of one finds it; a question's words
are replaced by all forms that occur. FTS5's own Porter stemmer says which belong together.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import product

TOKENIZER = "unicode61 remove_diacritics 2"
TABLES = (
    "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    f"""CREATE VIRTUAL TABLE stem USING fts5(
  text, content='word', content_rowid='id', columnsize=0, detail='none',
  tokenize='porter {TOKENIZER}')""",
)
_BATCH = (
    "PRAGMA temp_store = MEMORY",
    f"""CREATE VIRTUAL TABLE IF NOT EXISTS temp.batch USING fts5(
  text, content='', columnsize=0, detail='none', tokenize='{TOKENIZER}')""",
    """CREATE VIRTUAL TABLE IF NOT EXISTS temp.batch_word
  USING fts5vocab(temp, batch, 'row')""",
)
MAX_FORMS = 256
"""Of one phrase that are looked for; a longer phrase is then looked for as it is written."""
_TERM = re.compile(r"[^\W_]+")


def prepare(connection: sqlite3.Connection) -> None:
    """Make room, in memory, for ``add_words``; not within a transaction."""
    for statement in _BATCH:
        connection.execute(statement)


def add_words(connection: sqlite3.Connection, texts: Iterable[str]) -> None:
    """Take in the words of some texts; the caller holds the transaction.

    Only a word of three letters or more that ends in one has other forms (Porter 1980).
    """
    connection.executemany("INSERT INTO temp.batch (rowid, text) VALUES (?, ?)", enumerate(texts))
    new_terms = connection.execute(
        "SELECT term FROM temp.batch_word WHERE length(term) > 2 AND term GLOB '*[a-z]'"
        " AND term NOT IN (SELECT text FROM word)"
    ).fetchall()
    for row in new_terms:
        number = connection.execute("INSERT INTO word (text) VALUES (?)", row).lastrowid
        connection.execute("INSERT INTO stem (rowid, text) VALUES (?, ?)", (number, *row))
    connection.execute("INSERT INTO temp.batch (batch) VALUES ('delete-all')")


def forms_of(connection: sqlite3.Connection, phrase: str) -> Sequence[str]:
    """A phrase as it is written, and with each of its words in every form that the index holds."""
    terms = _TERM.findall(unicodedata.normalize("NFC", phrase))
    query = "SELECT text FROM word WHERE id IN (SELECT rowid FROM stem WHERE stem MATCH ?)"
    forms = [[row[0] for row in connection.execute(query, (f'"{term}"',))] for term in terms]
    count = 1
    for term_forms, term in zip(forms, terms, strict=True):
        term_forms[:] = term_forms or [term]
        count *= len(term_forms)
    if count > MAX_FORMS:
        return [phrase]
    return list(dict.fromkeys([phrase, *(" ".join(chosen) for chosen in product(*forms))]))
