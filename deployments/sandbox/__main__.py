"""``python -m deployments.sandbox``."""

from deployments.sandbox.server import main

main()
