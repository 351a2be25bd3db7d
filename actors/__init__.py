"""The long-lived brain: one shell per noun, and the composition that says who exists and who meets
whom.
"""
