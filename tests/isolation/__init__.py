"""No tenant reaches another: generated calls against a session pool that reads leniently and tells all it knows.

Read in this order:

1. `places`    who is who: tenants, keys, pools, and the words that no tenant may ever see
2. `calls`     one generated call, and what it says when it is read strictly
3. `drawing`   valid calls on every operation;  `attacks`: what is then done to them
4. `forms`     bodies of calls: JSON and multipart, sound and twisted
5. `readings`  a request as lenient servers read it: every path and every session that it could mean
6. `bodies`    the same for what stands in a body
7. `pool`      the session pool: answers with everything that it knows and should not tell;  `echoes`: its words
8. `world`     the product's gateway on that pool, in memory
9. `hearing`   the promises about what the pool hears;  `telling`: those about what the tenant is told and charged
10. `promises` all of them;  `shrinking`: makes a call that breaks one as short as it can be
11. `runs`     batches of calls, counted;  `exploring`: drawn by Hypothesis;  `__main__`: as many as you like
12. `variants` deliberately broken products that the promises must catch

The product's code runs unchanged, with its own client for the pool. What a call means, and what its session is called
at the pool, the tests work out by themselves: `readings`, `bodies`, `calls` and `places` import nothing of the product.
"""
