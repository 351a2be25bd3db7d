"""How laws that touch the disk are tried."""

from hypothesis import settings

campaign = settings(max_examples=30, deadline=None, derandomize=True)
"""For laws that touch the disk: the same examples each time, and no limit that a slow disk could
break.
"""
