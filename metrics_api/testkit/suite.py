"""The checks as a class of tests, of which a plug-in's author makes one of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from metrics_api.testkit.kit import CHECKS, Check, Outcome, State, outcome, run, subject

if TYPE_CHECKING:
    import pyarrow as pa

    from metrics_api.engines.warehouse import Warehouse


class EngineTests:
    """Subclass it as `TestMine`, say which engine it is, and how tables get there."""

    engine: ClassVar[str] = ""
    """The engine's name, as people write it in `type`."""
    different: ClassVar[Mapping[str, str]] = {}
    """Checks that do not hold on this engine, by their names, and why. One that holds after all fails."""

    def filled(self, tables: Mapping[str, pa.Table]) -> Warehouse:
        """Make these the rows of the tables of these names, and give a connection to them.

        It is asked for very often: keep the connection, and replace what is in a table that is there already.
        Timestamps are naive and of UTC; they may become whatever the engine has for instants.
        """
        raise NotImplementedError

    def outcomes(self) -> Iterator[Outcome]:
        """What comes of every check, without pytest."""
        yield from run(subject(self.engine, self.filled), self.different)

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """A test for each check: called by pytest."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", CHECKS, ids=str)

    def test_it(self, check: Check) -> None:
        import pytest

        told = outcome(check, subject(self.engine, self.filled), self.different.get(str(check)))
        match told.state:
            case State.UNSUPPORTED:
                pytest.skip(told.reason)
            case State.DIFFERENT:
                pytest.xfail(told.reason)
            case State.FAILED:
                pytest.fail(told.reason, pytrace=False)

    def test_what_is_different_is_a_check(self) -> None:
        unknown = {*self.different} - {str(one) for one in CHECKS}
        assert not unknown, f"`different` names no checks: {sorted(unknown)}"
