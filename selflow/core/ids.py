"""Opaque ids: a prefix that says what, and 80 random bits."""

import secrets


def new_id(prefix: str) -> str:
    """A fresh id such as ``dec_9f86d081884c7d659a2f``; 80 bits from the system's generator."""
    return f"{prefix}_{secrets.token_hex(10)}"


def new_token() -> str:
    """A bearer token: ``sf_`` and 43 base64url characters (32 random bytes)."""
    return f"sf_{secrets.token_urlsafe(32)}"
