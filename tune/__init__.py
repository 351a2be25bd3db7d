"""Ray Tune: the search for an agent's settings. Each trial is one LoRA run that advances by
eighths.
"""
