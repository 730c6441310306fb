"""The whole product as a tenant meets it: real processes, real storage, a pool that runs code."""
