"""``selflow demo``: the whole loop on real events, with the product as an owner runs it."""
