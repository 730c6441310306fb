"""Bodies of calls: JSON with code in it and multipart forms, as clients send them, and twisted.

JSON is written by hand, since no serializer writes a field twice.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

type Fields = list[tuple[str, str]]
"""Names and values, both as JSON."""

FIELD_SPELLINGS = (
    "identifier",
    "Identifier",
    "IDENTIFIER",
    "sessionId",
    "SessionID",
    "iden\\u0074ifier",
    "sess\\u0069onId",
)
_WRAPPERS = ("properties", "Properties", "PROPERTIES", "x", "sessionProperties", "pr\\u006fperties")


@dataclass(frozen=True, slots=True)
class Dice:
    """Chance, and the pieces of text that Hypothesis has drawn."""

    random: Random
    pieces: Sequence[str]

    def of[T](self, values: Sequence[T]) -> T:
        """Choose one."""
        return values[int(self.random.random() * len(values))]

    def chance(self, probability: float) -> bool:
        """Toss a coin."""
        return self.random.random() < probability

    def piece(self) -> str:
        """Take a piece of text."""
        return self.of(self.pieces)


def code_fields(dice: Dice, operation: str, shell: bool, name: str) -> Fields:  # noqa: FBT001
    """Write the fields that go with the code to run."""
    key = "pythonCode" if operation == "python.execute" else "shellCommand" if shell else "code"
    code = dice.of(("1 + 1", 'print("identifier")', "x = {'identifier': 1}", dice.piece()))
    fields = [("codeInputType", '"inline"'), ("executionType", '"synchronous"'), (key, json.dumps(code))]
    if dice.chance(0.3):
        fields.append((dice.of(FIELD_SPELLINGS[:5]), json.dumps(name, ensure_ascii=dice.chance(0.5))))
    if dice.chance(0.1):
        fields.append(("timeoutInSeconds", dice.of(("60", "1e2", "null"))))
    return fields


def code_body(operation: str, fields: Fields) -> bytes:
    """Put the fields where the operation's dialect has them."""
    written = write(fields)
    return (written if operation == "executions.create" else write([("properties", written)])).encode()


def write(fields: Fields) -> str:
    """Write an object, whatever its fields are."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in fields) + "}"


def twisted_code(dice: Dice, operation: str, fields: Fields, name: str, victim: str) -> bytes:
    """Write a body that may say different things to different readers."""
    said = json.dumps(dice.of((victim, victim, name)))
    more = (dice.of(FIELD_SPELLINGS), said)
    outer = [(dice.of(_WRAPPERS), write([*fields, more])), ("properties", write(fields))]
    dice.random.shuffle(outer)
    odd = dice.of(("null", "1", "[]", "{}", said, "true"))
    bodies = (
        code_body(operation, [*fields, more]),
        code_body(operation, [(more[0], json.dumps(name)), *fields, more]),
        code_body(operation, [*fields, (dice.of(_WRAPPERS), write([more]))]),
        code_body(operation, [*fields, ("list", f"[{write([more])}]")]),
        code_body(operation, [(more[0], odd), *fields]),
        write(outer).encode(),
        write([*outer, more]).encode(),
    )
    if dice.chance(0.8):
        return dice.of(bodies)
    return dice.of(_DISGUISES)(dice.of((bodies[0], code_body(operation, fields))))


_DISGUISES: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: body.decode().encode("utf-16"),
    lambda body: body.decode().encode("utf-16-le"),
    lambda body: body.decode().encode("utf-32-be"),
    lambda body: body + b"\0",
    lambda body: body + body,
    lambda body: b" \r\n" + body + b"\n",
    lambda body: body[:-1],
    lambda body: body[:-1] + b', "n": NaN}',
    lambda body: body[:-1] + b', "n": ' + b"9" * 5000 + b"}",
    lambda body: body[:-1] + b', "n": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    lambda body: body[:-1] + b', "n": "\\ud800"}',
    lambda body: body[:-1] + b', "n": "\xff"}',
    lambda body: body[:-1] + b', "n": "\xed\xa0\x80"}',
    lambda body: body[:-1] + b', "n": "' + b"x" * 300_000 + b'"}',
    lambda _: b"[]",
    lambda _: b"",
)


def upload(boundary: str, filename: str, content: bytes, *, field: str = "file") -> bytes:
    """Write a form with one file."""
    return part(boundary, f'form-data; name="{field}"; filename="{filename}"', content) + f"--{boundary}--\r\n".encode()


def part(boundary: str, disposition: str, content: bytes, *, line: str = "\r\n") -> bytes:
    """Write one part of a form."""
    head = f"--{boundary}{line}Content-Disposition: {disposition}{line}Content-Type: text/csv{line}{line}"
    return head.encode(errors="replace") + content + line.encode()


def twisted_upload(dice: Dice, filename: str, victim: str) -> tuple[str, bytes]:
    """Write a form that different readers may take for different forms; returns its content type, too."""
    climbing = dice.of(("../x", "..\\x", "%2e%2e/x", "a/../../x", "x\0.py", ".. /x", "..", "..;/x"))
    naming = dice.of(("identifier", '"Identifier"', "sessionId", '"iden%74ifier"', '"identifier"'))
    extended, text = climbing.replace("/", "%2F"), dice.piece()
    sound, end = part("b1", f'form-data; name="file"; filename="{filename}"', b"x"), b"--b1--\r\n"
    within = part("b1", f'form-data; name="file"; filename="{climbing}"', b"y", line="\n")
    other = upload("b2", climbing, b"y")
    forms = (
        ("; boundary=b1; boundary=b2", sound + other + end),
        ('; x="; boundary=b1"; boundary=b2', sound + other + end),
        ("; boundary=b1", sound + part("b1", f"form-data; name={naming}", victim.encode()) + end),
        ("; boundary=b1", upload("b1", climbing, b"y")),
        ("; boundary=b1", sound + part("b1", f"form-data; name=file; filename*=utf-8''{extended}", b"y") + end),
        ("; boundary=b1", sound[:-2] + b"\n" + within + b"\r\n" + end),
        ("", part("b1", f'form-data; name="file"; filename="ok"; filename="{climbing}"', b"y") + end),
        ("; boundary=b1", dice.of((sound, sound[:30], sound + end[:-4], end + sound, b""))),
        (f"; boundary={text}", upload(text or "b1", filename, b"z")),
    )
    parameters, body = dice.of(forms)
    kind = "multipart/form-data" if parameters else dice.of(("application/json", "text/plain", ""))
    return kind + parameters, body
