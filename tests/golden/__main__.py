"""Write the golden files anew."""

import asyncio

from tests.golden.documents import FILES, documents

FILES.mkdir(exist_ok=True)
made = asyncio.run(documents())
for stale in set(FILES.iterdir()) - {FILES / name for name in made}:
    stale.unlink()
for name, body in made.items():
    (FILES / name).write_bytes(body)
