"""The operations on files, in both dialects."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from infra.local.pool import files, shapes
from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.executions import Workbench
from infra.local.pool.files import Entry
from infra.local.pool.multipart import UploadParser
from infra.local.pool.sessions import Sessions
from infra.local.pool.settings import PoolSettings
from infra.local.pool.versions import ApiVersion
from infra.local.pool.web import Call, Reply


class FileOperations:
    """Puts files into sessions and takes them out.

    Uploads arrive in `incoming`, a folder of the same file system as the sessions' own, and are moved when complete.
    """

    def __init__(self, sessions: Sessions[Workbench], settings: PoolSettings, *, incoming: Path) -> None:
        self._sessions = sessions
        self._settings = settings
        self._incoming = incoming

    async def upload_enveloped(self, call: Call) -> Reply:
        """Serve `POST /files/upload`."""
        return Reply(document=shapes.enveloped_files(await self._upload(call)))

    async def upload_flat(self, call: Call) -> Reply:
        """Serve `POST /files`."""
        entries = await self._upload(call)
        return Reply(document=shapes.flat_file(entries[0], call.version))

    async def list_files(self, call: Call) -> Reply:
        """Serve `GET /files`, the one path whose answer depends on the api-version."""
        recursive = call.version >= ApiVersion.OCTOBER_2025 and _flag(call, "recursive")
        entries = self._list(call, recursive=recursive)
        if call.version.enveloped:
            return Reply(document=shapes.enveloped_files(entries))
        return Reply(document={"value": [shapes.flat_file(entry, call.version) for entry in entries]})

    async def describe(self, call: Call) -> Reply:
        """Serve `GET /files/{name}`."""
        with self._sessions.visit(call.identifier) as visit:
            entry = files.look_at(visit.session.inside.folder, _named(call))
        document = shapes.enveloped_files([entry]) if call.version.enveloped else shapes.flat_file(entry, call.version)
        return Reply(document=document)

    async def delete(self, call: Call) -> Reply:
        """Serve `DELETE /files/{name}`."""
        with self._sessions.visit(call.identifier) as visit:
            files.delete(visit.session.inside.folder, _named(call))
        return Reply(document={"message": "file deleted successfully"}) if call.version.enveloped else Reply(status=204)

    async def content(self, call: Call) -> Reply:
        """Serve `GET /files/{name}/content` and `GET /files/content/{path}`."""
        with self._sessions.visit(call.identifier) as visit:
            return Reply(file=files.open_file(visit.session.inside.folder, _named(call)))

    def _list(self, call: Call, *, recursive: bool) -> Sequence[Entry]:
        location = files.locate(call.query.get("path", ""))
        with self._sessions.visit(call.identifier) as visit:
            return files.list_folder(visit.session.inside.folder, location, recursive=recursive)

    async def _upload(self, call: Call) -> Sequence[Entry]:
        parser = UploadParser(
            call.headers.get("content-type", ""), folder=self._incoming, most_bytes=self._settings.upload_bytes
        )
        with self._sessions.visit(call.identifier) as visit:
            try:
                async with aclosing(call.body.pieces()) as pieces:
                    async for piece in pieces:
                        parser.feed(piece)
                uploads = parser.finish()
                places = [files.locate_new(call.query.get("path", ""), upload.filename) for upload in uploads]
                folder = visit.session.inside.folder
                return [
                    files.place_file(folder, place, upload.stored)
                    for place, upload in zip(places, uploads, strict=True)
                ]
            finally:
                parser.discard()


def _named(call: Call) -> files.Location:
    return files.locate(call.query.get("path", ""), call.names["name"])


def _flag(call: Call, name: str) -> bool:
    value = call.query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise PoolError(Problem.VALIDATION, f"'{name}' must be true or false.", target=name)
    return value == "true"
