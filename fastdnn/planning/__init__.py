"""Planning: how a step is cut into tasks, and where everything lies in memory.

`plan` puts together what the others say of a step, and `predictions` of rows to predict; both
begin with the `kernels` that the network needs. `cuts` divides the work, by the workload
alone; `program` writes a network's operations; `step_options` says what steps do besides, and
`layer_steps` how they differ between layers, `shared_weights` where members lie that share
them; `layout` hands out memory; `addresses` is the one place where arrays become addresses,
in the record of the engine.

Called by `prediction` and `training`. What a field means must be changed in `engine` as well.
"""
