"""`python -m sandbox`: the command line of the simulated cluster."""

import sys

from sandbox.cli import main

sys.exit(main())
