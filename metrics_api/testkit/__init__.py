"""What a plug-in for another warehouse is held to: every operation, every case, and what connections do alike.

    from metrics_api.testkit import EngineTests

    class TestMine(EngineTests):
        engine = "mine"

        def filled(self, tables):
            ...  # make these the rows of the tables of these names
            return warehouse

is a test of each for pytest; `python -m metrics_api.testkit my_tests:TestMine` prints the table.
"""

from metrics_api.testkit.kit import CHECKS, Check, Kind, Outcome, State, run, subject, summary
from metrics_api.testkit.projects import Filled
from metrics_api.testkit.suite import EngineTests

__all__ = ["CHECKS", "Check", "EngineTests", "Filled", "Kind", "Outcome", "State", "run", "subject", "summary"]
