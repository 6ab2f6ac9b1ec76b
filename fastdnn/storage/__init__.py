"""Models in pickles, and in files without code.

`pickles` is what an estimator is in pickles, copies and files of skops, `plain_state` the part
of it that training goes on from, `histories` what it has recorded, `resumable` what it goes on
from exactly. `model_file` saves and loads files: `document` goes from that to a document and
tensors, and back, which `schema` and `tensors` describe: `settings` stores hyperparameters,
`own` what of them is a user's own, `training_part` what only training needs, `labels` classes;
`table_models` has what estimators of tables are instead.
`checked_json` and `tensor_file` check every byte.

Called by the estimators and the textbook class. What a file says stays readable: promised.
"""
