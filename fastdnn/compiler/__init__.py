"""The compiler: the only room that knows numba's options, its cache and its insides.

`jit` makes the decorators of every compiled function, `addressed` kernels that are compiled
alone and called by address, `users_functions` kernels of what users have compiled.
`dispatching` has numba compile kernels in the quick way, which is `kernel_compiler` and
`remembering`; `stopping` lets compilations wait and be stopped.
`assumptions` lists what all of that relies on in numba, and `kernel_probe` tries it.
`target` is the processor that code is for; `cache`, `cache_folder`, `entries` and
`source_digest` keep machine code on disk, `shipped` finds what the package itself brings.

Called by every room with compiled code. Options, the cache and what is changed of numba can be
changed here alone; a change of what code is made by, which `source_digest` lists, makes all
code compile anew.
"""
