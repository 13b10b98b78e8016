"""`python -m authentiscan`: the command line."""

from authentiscan.cli import main

if __name__ == "__main__":
    main()
