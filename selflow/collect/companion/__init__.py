"""The shell companion: hooks that write finished commands to a spool, and the source that reads it
(docs/shell.md).
"""
