"""A month of three tenants, and what Tollgate says of it in every format, byte for byte.

`seed` makes the month with the real meter, `documents` writes it up, and `files/` holds what it has to be.
`python -m tests.golden` writes `files/` anew; what changed in it is what a tenant's bookkeeping will see change.
"""
