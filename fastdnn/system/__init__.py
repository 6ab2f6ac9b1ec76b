"""The system: threads that interrupts do not leave at work.

Called by `compiler` and `teams`; knows nothing of the rest.
"""
