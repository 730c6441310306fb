"""Drives the LlamaIndex tool as its documentation shows.

Runs in the client's own environment, which holds nothing of Tollgate.
"""

import importlib.metadata
import os
from pathlib import Path
from typing import Any

from checks import (
    CSV,
    FILE_NAME,
    MEAN,
    ODD_NAME,
    PLOT,
    PNG,
    error_of,
    expect,
    expect_in,
    managed_identity,
    paid_sessions,
    report,
)
from llama_index.tools.azure_code_interpreter import AzureCodeInterpreterToolSpec

VERSION = importlib.metadata.version("llama-index-tools-azure-code-interpreter")
FOLDER = Path(os.environ["TMPDIR"])


class Spec:
    """The tool."""

    def __init__(self) -> None:
        self._spec = self._make_spec(local_save_path=str(FOLDER))

    @staticmethod
    def _make_spec(key: str = os.environ["KEY"], **options: Any) -> AzureCodeInterpreterToolSpec:
        spec = AzureCodeInterpreterToolSpec(pool_management_endpoint=os.environ["PROXY"], **options)
        spec.access_token_provider = lambda: key
        return spec

    def _run(self, code: str) -> dict[str, Any]:
        properties: dict[str, Any] = self._spec.code_interpreter(code)["properties"]
        return properties

    def run(self) -> None:
        answer = self._run("x = 6\nprint('six')\nx * 7")
        expect((answer["status"], answer["result"], answer["stdout"], answer["stderr"]), ("Success", 42, "six\n", ""))

    def state(self) -> None:
        expect(self._run("x")["result"], 6)

    def upload(self) -> None:
        (FOLDER / FILE_NAME).write_bytes(CSV)
        [uploaded] = self._spec.upload_file(local_file_path=str(FOLDER / FILE_NAME))
        expect((uploaded.file_full_path, uploaded.size_in_bytes), (f"/mnt/data/{FILE_NAME}", len(CSV)))
        expect_in("40.66", self._run(MEAN)["stdout"])

    def list(self) -> None:
        expect([(file.filename, file.size_in_bytes) for file in self._spec.list_files()], [(FILE_NAME, len(CSV))])

    def download(self) -> None:
        expect(self._spec.download_file_to_local(f"/mnt/data/{FILE_NAME}").read(), CSV)

    def image(self) -> None:
        expect(self._run(PLOT)["result"], {"type": "image", "format": "png", "saved_to_local_path": True})
        [picture] = FOLDER.glob("*.png")
        expect(picture.read_bytes()[: len(PNG)], PNG)

    def error(self) -> None:
        expect_in("ZeroDivisionError: division by zero", self._run("1/0")["stderr"])

    def quota(self) -> str:
        return self._http_error(os.environ["SPENT_KEY"], 403)

    def revoked(self) -> str:
        return self._http_error(os.environ["REVOKED_KEY"], 401)

    def name(self) -> None:
        self._make_spec(session_id=ODD_NAME).code_interpreter("name = 'odd'")
        expect(self._make_spec(session_id=ODD_NAME).code_interpreter("name")["properties"]["result"], "odd")
        expect({ODD_NAME} - paid_sessions(), set())

    def identity(self) -> None:
        with managed_identity():
            keyless = AzureCodeInterpreterToolSpec(os.environ["PROXY"], session_id=self._spec.session_id)
            expect(keyless.code_interpreter("x")["properties"]["result"], 6)

    def _http_error(self, key: str, status: int) -> str:
        error: Any = error_of(lambda: self._make_spec(key).code_interpreter("1"))
        expect((type(error).__name__, error.response.status_code), ("HTTPError", status))
        return f"HTTPError {status}"


if __name__ == "__main__":
    report({f"LlamaIndex {VERSION}": Spec()})
