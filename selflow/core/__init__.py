"""The words: events, ids, errors, settings, ports, clock, access. Imports nothing of SelFlow's."""
