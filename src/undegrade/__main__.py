"""`python -m undegrade`, which is how `accelerate launch -m undegrade` starts it."""

import sys

from undegrade.cli import main

if __name__ == "__main__":
    sys.exit(main())
