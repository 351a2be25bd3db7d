"""Ray Tune: search spaces, trials and limits. Empty until agents are grown."""
