"""A network: its sizes and its parameters in one flat vector, with views into it.

Called by every room above. Where a parameter lies in the vector is known here alone.
"""
