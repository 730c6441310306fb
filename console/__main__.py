"""`python -m console` is `tollgate`."""

from console.main import main

main()
