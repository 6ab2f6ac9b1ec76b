"""The engine: the loop over batches, and what its workers share.

`loop` has the entry points `train` and `predict`; `shards` is the first phase of a batch, and
walks the table of `operations`, of which `transforms` are those beside products and
activations, and `table_rows` the first layer on a compact table; `blocks` is the second,
`step_options` what it does where a fit asks for more than a step, `layer_steps` steps that
differ between layers, and `shared_weights` those of networks that share weights; `memory`
finds from the `record` where everything lies; `barrier` shares out tasks; `mailboxes`,
`delta_masks` and `placement` spare processors what they would have to wait for.

Called by `prediction` and `training` with a record that `planning` has filled. What a field of
the record means must be changed in both rooms.
"""
