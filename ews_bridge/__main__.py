"""`python -m ews_bridge`: the same as `ews-bridge`."""

import sys

from ews_bridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
