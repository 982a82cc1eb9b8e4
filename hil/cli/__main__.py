"""`python -m hil.cli`: the command line without its console script."""

from hil.cli.main import main

if __name__ == "__main__":
    main()
