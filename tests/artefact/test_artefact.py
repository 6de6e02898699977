"""What is in the artefact, what is not, and that it is complete by itself."""

from __future__ import annotations

import importlib.util
import json
import os
import ssl
import tomllib
import zipfile
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from artefact import dependencies, own_code
from artefact.assemble import Recipe, assemble, cached, fingerprint, pack, sizes
from artefact.dependencies import locked
from artefact.prune import roots
from tests.support.alone import run_in

ROOT = Path(__file__).parents[2]


def modules(artefact: Path) -> list[str]:
    """Our modules in it, by name."""
    files = [file for package in own_code.PACKAGES for file in (artefact / package).rglob("*.py")]
    names = sorted(".".join(file.relative_to(artefact).with_suffix("").parts) for file in files)
    return [name.removesuffix(".__init__") for name in names]


def test_the_doors_are_the_three_functions() -> None:
    assert own_code.doors() == ["handlers.invoke", "handlers.sweep", "handlers.worker"]


def test_the_terminal_the_laboratory_and_the_tests_stay_at_home(artefact: Path) -> None:
    there = {path.name.partition("-")[0] for path in artefact.iterdir()}
    assert not there & {"artefact", "bench", "click", "lab", "moto", "pytest", "rich", "tests", "pip", "certifi"}
    at_home = ("cli", "demo", "plan_file", "progress", "rollback_command", "rollback_upload", "stack_of", "terminal")
    assert not {f"handlers.{one}" for one in at_home} & {*modules(artefact)}
    assert {"reconciler.engine.run", "reconciler.kinds.vpc", "desired_state.load"} <= {*modules(artefact)}


def test_every_module_of_ours_can_be_imported_from_the_artefact_alone(artefact: Path) -> None:
    code = f"""
import importlib, json, sys
for name in {modules(artefact)!r}:
    importlib.import_module(name)
files = {{name: getattr(one, "__file__", None) for name, one in sys.modules.items()}}
print(json.dumps([str(file) for name, file in files.items() if file]))
"""
    library = Path(os.__file__).parent
    strange = [
        file
        for file in map(Path, json.loads(run_in(artefact, code)))
        if not file.is_relative_to(artefact) and not file.is_relative_to(library)
    ]
    assert strange == []


def test_it_says_which_version_of_setpoint_and_of_everything_else_it_has(artefact: Path) -> None:
    code = "from importlib.metadata import distributions as d; print(sorted((one.name, one.version) for one in d()))"
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert len(locked()) >= 10
    expected = sorted([*((_plain(name), version) for name, version in locked()), ("setpoint", ours)])
    assert sorted((_plain(name), version) for name, version in eval(run_in(artefact, code))) == expected  # noqa: S307 (two lines above)


def _plain(name: str) -> str:
    """A distribution's name without its spelling: Jinja2 and jinja2 are one."""
    return name.replace("-", "_").lower()


def test_the_templates_of_the_page_come_compiled_from_the_sources_of_now(artefact: Path, tmp_path: Path) -> None:
    from reconciler.report.page.html import TEMPLATES, compile_templates

    compile_templates(TEMPLATES, tmp_path)
    expected = {file.name: file.read_text() for file in tmp_path.glob("*.py")}
    there = artefact / "reconciler" / "report" / "page"
    assert {file.name: file.read_text() for file in (there / "compiled").glob("*.py")} == expected
    assert len(expected) > 8
    for file in (*TEMPLATES.parent.glob("*.css"), *TEMPLATES.parent.glob("*.js")):
        assert (there / file.name).read_bytes() == file.read_bytes()
    assert not (there / "templates").exists()
    code = (
        "from reconciler.report.page.html import page; print(page({'receipt': 1, 'document': {'name': 'small'}})[:15])"
    )
    assert run_in(artefact, code).strip() == "<!doctype html>"


def test_every_module_comes_compiled_and_no_time_of_a_file_can_make_that_stale(artefact: Path) -> None:
    sources = sorted(artefact.rglob("*.py"))
    assert len(sources) > 500
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert compiled[:4] == importlib.util.MAGIC_NUMBER, source
        assert int.from_bytes(compiled[4:8], "little") == 0b01, source  # PEP 552: by hash, and not checked


def test_a_traceback_names_files_as_they_lie_on_lambda(artefact: Path) -> None:
    import marshal

    compiled = Path(importlib.util.cache_from_source(str(artefact / "reconciler" / "engine" / "run.py"))).read_bytes()
    code = marshal.loads(compiled[16:])  # noqa: S302 (our own byte code)
    assert isinstance(code, CodeType)
    assert code.co_filename == "/var/task/reconciler/engine/run.py"


@pytest.fixture(scope="module")
def zipped(artefact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefact's zip, packed once for the tests that look at it."""
    archive = tmp_path_factory.mktemp("zip") / "setpoint.zip"
    pack(artefact, archive)
    return archive


def test_it_is_small(artefact: Path, zipped: Path) -> None:
    told = sizes(artefact, zipped)
    assert told.unzipped <= 28_000_000
    assert told.zipped <= 11_000_000


@pytest.mark.long  # to assemble once more takes six seconds
def test_two_assemblies_of_the_same_inputs_are_the_same_bytes(zipped: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "again"
    assemble(again, Recipe())
    for number, file in enumerate(sorted(again.rglob("*"))):
        os.utime(file, (number, number))
    pack(again, tmp_path / "two.zip")
    one, two = zipfile.ZipFile(zipped), zipfile.ZipFile(tmp_path / "two.zip")
    assert one.namelist() == two.namelist()
    assert [name for name in one.namelist() if one.read(name) != two.read(name)] == []
    assert zipped.read_bytes() == (tmp_path / "two.zip").read_bytes()
    one.close()
    two.close()


def test_nothing_is_made_twice_of_equal_inputs(tmp_path: Path) -> None:
    made: list[str] = []

    def make(content: str, *, fails: bool = False) -> str:
        def making(folder: Path) -> None:
            folder.mkdir()
            (folder / content).touch()
            made.append(content)
            if fails:
                raise SystemExit("interrupted")

        return "".join(one.name for one in cached(tmp_path / "a", content, making).iterdir())

    assert [make("one"), make("one"), make("two")] == ["one", "one", "two"]
    assert made == ["one", "two"]
    with pytest.raises(SystemExit):
        make("three", fails=True)
    assert make("two") == "two"
    assert made == ["one", "two", "three", "two"]


def test_a_file_more_or_another_content_is_another_input() -> None:
    files = own_code.sources()
    assert fingerprint(files) == fingerprint(reversed(files))
    assert len({fingerprint(files), fingerprint(files[1:]), fingerprint(files[:1])}) == 3


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a door and a module beside it."""
    for package in ("handlers", "reconciler", "reconciler/attempt", "lab"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    for name in ("settings", "wiring", "terminal"):
        (tmp_path / "handlers" / f"{name}.py").touch()
    (tmp_path / "reconciler" / "attempt" / "keep.py").write_text("def keep(): from reconciler import late\n")
    (tmp_path / "reconciler" / "late.py").touch()
    return tmp_path


def _door(project: Path, imports: str) -> None:
    (project / "handlers" / "worker.py").write_text(f"{imports}\ndef handler(event, context): ...\n")


def test_what_is_imported_only_inside_a_function_is_in_the_artefact(project: Path) -> None:
    _door(project, "from reconciler.attempt.keep import keep")
    assert [str(file) for file in own_code.reachable(project)] == [
        "handlers/__init__.py",
        "handlers/settings.py",
        "handlers/wiring.py",
        "handlers/worker.py",
        "reconciler/__init__.py",
        "reconciler/attempt/__init__.py",
        "reconciler/attempt/keep.py",
        "reconciler/late.py",
    ]


def test_a_door_that_imports_the_laboratory_makes_no_artefact(project: Path) -> None:
    _door(project, "import lab")
    with pytest.raises(SystemExit, match=r"a function imports what is not in the artefact: lab/__init__\.py"):
        own_code.reachable(project)


def test_a_door_that_imports_what_is_not_there_makes_no_artefact(project: Path) -> None:
    _door(project, "from reconciler import gone")
    with pytest.raises(SystemExit, match=r"a function imports modules that do not exist: reconciler\.gone"):
        own_code.reachable(project)


def test_another_python_than_lambdas_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "LAMBDA_PYTHON", (3, 99))
    with pytest.raises(SystemExit, match=r"byte-compiled for Lambda's Python 3\.99, and this is 3"):
        assemble(tmp_path / "artefact", Recipe("aarch64"))


def test_an_environment_that_is_not_as_locked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("boto3==1.0.0 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(dependencies, "LOCK", lock)
    with pytest.raises(SystemExit, match=r"requirements\.txt locks boto3 1\.0\.0, this environment has 1\."):
        dependencies.copy_installed(tmp_path / "artefact")


def test_stock_means_botocore_and_boto3_as_they_come(stock_artefact: Path) -> None:
    import botocore

    installed = Path(botocore.__file__).parent
    assert (stock_artefact / "botocore/cacert.pem").read_bytes() == (installed / "cacert.pem").read_bytes()
    files = [file for file in (installed / "data").rglob("*") if file.is_file()]
    assert len(files) > 1000
    for file in files:
        assert (stock_artefact / "botocore" / file.relative_to(installed)).stat().st_size == file.stat().st_size
    assert (stock_artefact / "boto3/data/ec2").is_dir()


def test_the_certificates_are_those_of_awss_authorities(artefact: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(artefact / "botocore" / "cacert.pem")
    certificates: list[Any] = list(context.get_ca_certs())
    subjects = [dict(pair for (pair,) in one["subject"]) for one in certificates]
    names = {one.get("commonName", "") for one in subjects}
    # https://www.amazontrust.com/repository: a trust store of one's own should have these five.
    assert {f"Amazon Root CA {number}" for number in (1, 2, 3, 4)} <= names
    assert "Starfield Services Root Certificate Authority - G2" in names
    assert {one["organizationName"] for one in subjects} == {"Amazon", "Starfield Technologies, Inc.", "DigiCert Inc"}
    assert len(subjects) == 8


def test_all_certificates_are_there_for_one_who_needs_them(artefact: Path, stock_artefact: Path) -> None:
    whole = (artefact / "botocore" / "cacert.whole.pem").read_bytes()
    assert whole == (stock_artefact / "botocore" / "cacert.pem").read_bytes()


def test_they_are_the_certificates_that_botocore_reads(artefact: Path) -> None:
    code = "from botocore.httpsession import get_cert_path; print(get_cert_path(True))"
    assert run_in(artefact, code).strip() == str(artefact / "botocore" / "cacert.pem")


def test_a_bundle_without_awss_authorities_makes_no_artefact(artefact: Path) -> None:
    bundle = (artefact / "botocore" / "cacert.pem").read_text()
    amazon_last = roots(bundle)[-1]
    with pytest.raises(SystemExit, match="has no root of Starfield, DigiCert"):
        roots(amazon_last)
