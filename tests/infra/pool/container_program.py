"""A container of the tests: says what it is asked, and does what its path names. Run as a program, with `PORT` set."""

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers any method."""

    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def serve(self) -> None:
        """Answer a request."""
        body = self.read_body()
        match self.path.partition("?")[0]:
            case "/exit":
                os._exit(3)
            case "/hang-up":
                self.close_connection = True
            case "/child":
                child = subprocess.Popen(["/bin/sleep", "600"])
                self.answer(str(child.pid).encode())
            case "/stream":
                self.stream()
            case "/endless":
                self.begin_stream()
                while True:
                    self.write_chunk(b"more")
                    time.sleep(0.05)
            case "/broken":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True
            case "/gzip":
                self.answer(gzip.compress(b"packed"), ("Content-Encoding", "gzip"), status=203)
            case "/echo":
                self.answer(body, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Location", "http://elsewhere.test/"))
            case _:
                self.describe(body)

    def read_body(self) -> bytes:
        """Read the body, chunked or not."""
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def describe(self, body: bytes) -> None:
        """Say what has arrived, and where."""
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": base64.b64encode(body).decode(),
            "pid": os.getpid(),
            "folder": os.getcwd(),  # noqa: PTH109 -- a string
            "environment": sorted(os.environ),
            "arguments": sys.argv[1:],
        }
        self.answer(json.dumps(seen).encode(), ("Content-Type", "application/json"))

    def answer(self, content: bytes, *headers: tuple[str, str], status: int = 200) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def begin_stream(self) -> None:
        """Begin an answer without a length."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def write_chunk(self, content: bytes) -> None:
        """Send a piece of it; an empty one ends it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def stream(self) -> None:
        """Send three lines, a moment apart."""
        self.begin_stream()
        for line in (b"one\n", b"two\n", b"three\n"):
            self.write_chunk(line)
            time.sleep(0.2)
        self.write_chunk(b"")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    if sys.argv[1:] == ["broken"]:
        sys.exit("this container is broken")
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
