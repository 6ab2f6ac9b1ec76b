"""Planning: how a step is cut into tasks, and where everything lies in memory.

`plan` cuts by the workload alone; `layout` hands out memory; `addresses` writes the record of
the engine, and is the one place where arrays become addresses.

Called by `prediction` and `training`. What a field means must be changed in `engine` as well.
"""
