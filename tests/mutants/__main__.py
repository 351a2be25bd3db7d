"""``python -m tests.mutants``: what ``make mutants`` runs."""

import sys

from tests.mutants.runner import main

sys.exit(main())
