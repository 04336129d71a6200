"""An engine of another package: a distribution of its own, unpacked as installing does, found by its entry point."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import metrics_api

ROOT = Path(metrics_api.__file__).parents[1]
METADATA = "Metadata-Version: 2.1\nName: metrics-api-{name}\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

QUACK = '''
"""DuckDB under another name, which cannot read JSON."""

from typing import ClassVar

import duckdb

from metrics_api.engines import Engine
from metrics_api.engines.duckdb import DuckDBDialect, DuckDBWarehouse


class QuackDialect(DuckDBDialect):
    name: ClassVar[str] = "quack"
    json_text = None


def connect(settings, folder):
    return DuckDBWarehouse(duckdb.connect(), ":memory:")


ENGINE = Engine("quack", QuackDialect(), connect, ("pond",))
'''
QUACK_TESTS = '''
import duckdb

from metrics_api.engines.duckdb import DuckDBWarehouse
from metrics_api.testkit import EngineTests

WRITER = duckdb.connect()


class TestQuack(EngineTests):
    engine = "quack"
    different = {}

    def filled(self, tables):
        for name, table in tables.items():
            WRITER.register("incoming", table)
            WRITER.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM incoming')
            WRITER.unregister("incoming")
        return DuckDBWarehouse(WRITER, ":memory:")


class Lossy:
    """Loses the last row of every answer."""

    def __init__(self, inner):
        self.inner, self.columns = inner, inner.columns

    def run(self, sql, **options):
        from dataclasses import replace

        ran = self.inner.run(sql, **options)
        return replace(ran, table=ran.table.slice(0, max(ran.table.num_rows - 1, 0)))


class TestLossy(TestQuack):
    different = {"connection knows what is not there": "it is said to be different, and is not"}

    def filled(self, tables):
        return Lossy(super().filled(tables))
'''


def install(folder: Path, name: str, modules: Mapping[str, str], points: str) -> None:
    """Make a wheel of these modules, and unpack it into the folder: what installing a pure one comes to."""
    about = f"metrics_api_{name}-1.0.dist-info"
    files = {
        **modules,
        f"{about}/METADATA": METADATA.format(name=name),
        f"{about}/WHEEL": WHEEL,
        f"{about}/entry_points.txt": f"[metrics_api.engines]\n{points}\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in (*files, f"{about}/RECORD"))
    wheel = folder / f"metrics_api_{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for file, text in files.items():
            packed.writestr(file, text)
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def quack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quack")
    install(folder, "quack", {"quack.py": QUACK}, "quack = quack:ENGINE")
    (folder / "quack_tests.py").write_text(QUACK_TESTS, "utf-8")
    return folder


def test_the_kit_prints_its_table(quack: Path) -> None:
    ran = python(quack, "-m", "metrics_api.testkit", "quack_tests:TestQuack")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "| `json_text` | 2 |  | 2 |  |  |" in ran.stdout
    assert "| `sum` | 5 | 5 |  |  |  |" in ran.stdout
    assert "unsupported" in ran.stdout.splitlines()[-1]
    assert "failed" not in ran.stdout.splitlines()[-1]


def test_the_kit_is_a_class_of_tests(quack: Path) -> None:
    chosen = ("-k", "connection or json or counting or different", "--override-ini=addopts=", "-p", "no:cacheprovider")
    ran = python(quack, "-m", "pytest", "-q", "-rs", "quack_tests.py::TestQuack", *chosen)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "`json_text` has no exact form on quack" in ran.stdout
    lossy = python(quack, "-m", "pytest", "-q", "quack_tests.py::TestLossy", *chosen)
    assert lossy.returncode == 1
    said = " ".join(lossy.stdout.split())
    assert "test_it[connection reads many rows]" in said
    assert "19999 rows, or in another order" in said
    assert "is declared different (it is said to be different, and is not), and holds" in said
    assert "test_it[case usage/counting" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere:TestIt"], "there is no module `nowhere`"),
        (["quack:ENGINE"], "`ENGINE` of `quack` is no subclass of metrics_api.testkit.EngineTests"),
        (["quack"], "`` of `quack` is no subclass"),
    ],
)
def test_what_is_no_class_of_tests(quack: Path, arguments: list[str], message: str) -> None:
    ran = python(quack, "-m", "metrics_api.testkit", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


# -- in a project -----------------------------------------------------------------------------------------------------

PROJECT = """
version: 1
project:
  name: shop
  warehouses:
    here: {type: %s, %s}
    there: {type: duckdb, path: shop.duckdb}
  default_warehouse: %s
sources:
  app: {table: visits, time: at, identity: {user: person}}
events:
  visit: {source: app}
metrics:
  visits: {type: usage, event: visit}
"""


def metrics_api_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "metrics_api.cli", *arguments)


def test_a_project_on_it(quack: Path) -> None:
    (quack / "shop.yml").write_text(PROJECT % ("quack", "pond: village", "here"), "utf-8")
    assert metrics_api_in(quack, "validate").returncode == 0
    explained = metrics_api_in(quack, "explain", "visits", "--dialect", "quack")
    assert explained.returncode == 0, explained.stderr
    asked = metrics_api_in(quack, "query", "visits")
    assert (asked.returncode, asked.stderr) == (3, "source `app`: there is no table `visits` in the warehouse\n")
    (quack / "shop.yml").write_text(PROJECT % ("quack", "ponds: village", "here"), "utf-8")
    refused = metrics_api_in(quack, "validate")
    assert "project.warehouses.here: quack has no setting `ponds`" in refused.stderr
    assert "Did you mean `pond`?" in refused.stderr


BROKEN = {
    "import": (
        "import a_module_that_is_not_there\n",
        (
            "the package `metrics-api-broken` cannot be imported: "
            "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
        ),
    ),
    "syntax": (
        "def :\n",
        "the package `metrics-api-broken` cannot be imported: SyntaxError: invalid syntax (broken.py, line 1)",
    ),
    "attribute": (
        "engine = 1\n",
        (
            "the package `metrics-api-broken` cannot be imported: "
            "AttributeError: module 'broken' has no attribute 'ENGINE'"
        ),
    ),
    "object": (
        "ENGINE = {'name': 'broken'}\n",
        "`broken:ENGINE` of the package `metrics-api-broken` is a dict, and no metrics_api.engines.Engine",
    ),
    "name": (
        (
            "from metrics_api.engines import engines, Engine\n"
            "from metrics_api.engines.duckdb import DuckDBDialect\n"
            "ENGINE = Engine('broken', DuckDBDialect())\n"
        ),
        "the package `metrics-api-broken` calls it `broken`, and its dialect `duckdb`",
    ),
}


def broken(folder: Path, way: str) -> str:
    """Install an engine that is broken in some way beside one that is not, and a project on it; what is said of it."""
    module, why = BROKEN[way]
    install(folder, "broken", {"broken.py": module}, "broken = broken:ENGINE")
    install(folder, "quack", {"quack.py": QUACK}, "quack = quack:ENGINE")
    (folder / "shop.yml").write_text(PROJECT % ("broken", "pond: village", "here"), "utf-8")
    return f"the engine `broken` cannot be used: {why}\n"


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_plug_in_says_why(tmp_path: Path, way: str) -> None:
    why = broken(tmp_path, way)
    validated = metrics_api_in(tmp_path, "validate")
    assert (validated.returncode, validated.stdout) == (1, "")
    assert validated.stderr == (
        f"shop.yml:6:18  project.warehouses.here: {why}"
        "    Mend or upgrade the package that brings the engine, or uninstall it.\n"
        "\n1 problem in 1 file\n"
    )


def test_a_broken_plug_in_breaks_no_other(tmp_path: Path) -> None:
    why = broken(tmp_path, "import")
    asked = metrics_api_in(tmp_path, "query", "visits")
    assert asked.returncode == 1
    assert asked.stderr.startswith(why)
    assert metrics_api_in(tmp_path, "explain", "visits", "--dialect", "quack").returncode == 1  # `here` is its default
    (tmp_path / "shop.yml").write_text(PROJECT % ("quack", "pond: village", "there"), "utf-8")
    assert metrics_api_in(tmp_path, "validate").returncode == 0
    assert metrics_api_in(tmp_path, "explain", "visits", "--dialect", "quack").returncode == 0
