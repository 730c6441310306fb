"""The dashboard in a real browser, on a real stack. `visits` is a browser as the tests use it; `looking` measures."""
