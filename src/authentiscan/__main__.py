"""The command line: `authentiscan`, or `python -m authentiscan`."""

from __future__ import annotations

import sys


def main() -> None:
    """Load the commands and run one; Ctrl-C while they are loaded ends as it does later."""
    try:
        from authentiscan.cli import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    run()


def forget_interrupt() -> None:
    """Let the exit code stand under `python -m`, whatever a signal broke off before.

    CPython keeps a note where an interrupt leaves Python code that a C library runs, such as the
    loading of an extension, and then ends the process by SIGINT. Running anything takes it back.
    """
    import ctypes

    ctypes.pythonapi.PyRun_SimpleString(b"pass")


if __name__ == "__main__":
    try:
        main()
    finally:
        forget_interrupt()
