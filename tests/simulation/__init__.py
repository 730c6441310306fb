"""The money path under a simulated world: one seed decides the clock, the network, the faults and the order of steps.

Read in this order:

1. `loop`      an event loop in virtual time; any callback that is ready may run next
2. `table`     Table Storage's semantics;  `network`: what lies between an instance and the table
3. `store`     the product's own table store on top of both
4. `pool`      the session pool: when it holds which session, and for which call
5. `plan`      what a seed says: sizes, limits, faults, calls
6. `calls`     what is known of each call from outside
7. `ledger`    the oracle's own reading of the table's rows, and the promises about them
8. `oracle`    the promises about calls, one function each
9. `parts`     the classes of which a world is built;  `instance`: the product on its simulated ways out
10. `world`    all of it together, run to rest
11. `variants` deliberately broken products that the oracle must catch;  `processes`: seeds in parallel

The product's code runs unchanged. The oracle imports nothing of it.
"""
