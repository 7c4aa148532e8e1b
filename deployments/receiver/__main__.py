"""``python -m deployments.receiver``."""

import sys

from deployments.receiver.server import main

if __name__ == "__main__":
    sys.exit(main())
