"""Models in pickles, and in files without code.

`pickles` is the plain state in pickles, copies and files of skops. A file is written by
`saving` and read by `loading`: `schema` and `layout` are what both agree on, `encoding` and
`decoding` go from a model to them and back, `labels` stores classes, `json` and
`tensor_file` check every byte, `errors` says what is wrong.

Called by the estimators and the textbook class.
"""
