"""`python -m console` is `tollgate`: loads the commands, which takes a moment, and runs the command line."""

import os
import signal


def main() -> None:
    """Load and run the command line; the entry point `tollgate`."""
    if (before := signal.getsignal(signal.SIGINT)) is signal.default_int_handler:  # or whoever started it ignores it
        signal.signal(signal.SIGINT, _end)
    from console.main import main as run  # noqa: PLC0415 -- Ctrl-C has to be seen to before

    signal.signal(signal.SIGINT, before)
    run()


def _end(*_: object) -> None:
    """End at once, in the words of `console.main`: in the middle of an import there is nothing to tidy up."""
    os.write(2, b"tollgate: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
