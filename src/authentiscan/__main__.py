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


if __name__ == "__main__":
    main()
