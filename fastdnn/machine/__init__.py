"""The machine: memory by address, single instructions, facts about processors.

`views` views memory as arrays; `arithmetic` has the operations whose rounding is promised, and
`vectors` loops of them; `profile` has facts about kinds of processors, and `processor` those
of numbers on this one; `stops` looks whether a team is told to stop; `cache_lines` and
`subnormals` are what their names say.

Called by `products`, `ops` and `engine`. Nothing here knows what a network is.
"""
