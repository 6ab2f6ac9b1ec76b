"""The compiler: the only room that knows numba's options, its cache and its insides.

`jit` makes the decorators of every compiled function; `addressed` makes kernels that are
compiled alone and called by address; `kernel_compiler` leaves out what kernels do not need;
`target` is the processor that code is for; `cache`, `cache_folder`, `entries` and
`source_digest` keep machine code on disk, `shipped` finds what the package itself brings.

Called by every room with compiled code. Options, the cache and what is changed of numba can be
changed here alone; a change of `jit` or `kernel_compiler` makes all code compile anew.
"""
