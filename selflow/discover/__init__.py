"""Events to patterns: what several families of clustering agree on."""
