"""The commands, by what they are about: `tenants`, `keys`, `usage`.

`reach` gives each of them the options that all share and the way to Tollgate; `show` prints.
"""
