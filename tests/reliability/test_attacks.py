"""Attacks on a served dashboard and on what it reads.

Elsewhere: names and kinds of uploads, pickles under other names (`tests/pipeline/uploads/test_upload.py`); ids of runs
(`tests/pipeline/runs/test_runs.py`); what a reader of the warehouse may do (`tests/warehouse/test_store.py`); markup in
responses (`tests/app/views/test_responses_page.py`, `test_overoptimisation_page.py`); what a read-only process refuses
(`tests/pipeline/runs/test_jobs.py`, `tests/app/views/runs/test_page.py`); signing in
(`tests/app/access/test_sign_in.py`).
"""

from __future__ import annotations

import http.client
import io
import json
import pickle
import re
import shutil
import socket
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import closing
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets import InvalidStatus, Origin
from websockets.sync.client import connect

from pipeline import runs
from pipeline.config import load_profile
from pipeline.errors import InvalidConfig, ModelUnavailable, PipelineError
from pipeline.runs import jobs
from tests.app.conftest import OpenPage
from tests.browser.serving import served_by
from tests.helpers import simulated
from tests.helpers.reading import said
from tests.pipeline.uploads.test_upload import Attack
from tests.reliability.streamlit_client import Session, has_key, keyed
from warehouse import exchange, reads, store
from warehouse.errors import WarehouseError

pytestmark = pytest.mark.reliability

SQL = ("' OR 1=1 --", "'; DROP TABLE run; --", "%", "_", "\\", "simulated' UNION SELECT * FROM run --", '"run"')


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a published and a stopped run."""
    folder = simulated.publish(tmp_path_factory.mktemp("attacked"), P=8, Q=8, M=3)
    runs.create(folder, load_profile("smoke"), "stopped")
    return folder


@pytest.fixture(scope="module")
def writable(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that may change the folder."""
    with served_by(home, tmp_path_factory.mktemp("writable"), RIGHTTREE_READ_ONLY="0") as (address, _):
        yield address


@pytest.fixture(scope="module")
def read_only(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that may not."""
    with served_by(home, tmp_path_factory.mktemp("read-only"), RIGHTTREE_READ_ONLY="1") as (address, _):
        yield address


# Values that are SQL, paths, code -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", SQL)
def test_sql_in_a_filter_is_a_text_like_any_other(home: Path, open_view: OpenPage, value: str) -> None:
    with store.open_read_only(home) as connection:
        assert reads.responses.search_prompts(connection, "simulated", value).is_empty()
        assert reads.responses.search_prompts(connection, "simulated", "rl_test", categories=(value,)).is_empty()
        holding = 8 if value in "Question 1 of rl_test?" else 0
        assert reads.responses.search_prompts(connection, "simulated", "rl_test", text=value).height == holding
        for ask in (
            lambda: reads.runs.reward_models(connection, value),
            lambda: reads.scores.score_cube(connection, value),
        ):
            with pytest.raises(WarehouseError, match="is not in the warehouse"):
                ask()
    page = open_view("responses", home, run=value, search=value, category=value, policy=value)
    assert not page.exception
    assert "is not here" in said(page)


@pytest.mark.parametrize("profile", ["../../etc/passwd", "/etc/passwd", "smoke.toml", "../profiles/smoke", "smoke\0"])
def test_a_form_opens_no_file_by_the_name_of_a_profile(profile: str) -> None:
    for ask in (jobs.profile_about, jobs.profile_settings, lambda name: jobs.configured(name, {})):
        with pytest.raises(InvalidConfig, match="does not exist; use one of"):
            ask(profile)


def test_an_archive_writes_nothing_beside_its_folder(tmp_path: Path, home: Path) -> None:
    good = zipfile.ZipFile(io.BytesIO(exchange.pack(home, "simulated", tmp_path / "run")))
    climbing = io.BytesIO()
    with zipfile.ZipFile(climbing, "w") as archive:
        for name in good.namelist():
            archive.writestr(f"../../../{Path(name).name}", good.read(name))
    data = tmp_path / "deep" / "er" / "home"
    jobs.import_uploads(data, [("run.zip", climbing.getvalue())])
    assert {path.name for path in tmp_path.iterdir()} == {"run", "deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"er"}
    with store.open_read_only(data) as connection:
        assert reads.runs.all_runs(connection)["run_id"].to_list() == ["simulated"]

    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in good.namelist():
            archive.writestr(name, b"0" * 2**20 * 150)
    with pytest.raises(WarehouseError, match="MiB unpacked, above 250 times its size"):
        jobs.import_uploads(data, [("run.zip", bomb.getvalue())])


def test_a_model_folder_with_a_pickle_or_with_code_of_its_own_is_not_run(tmp_path: Path) -> None:
    from pipeline.models.embedded import provision
    from pipeline.models.language_model import load

    folder = Path(shutil.copytree(provision(), tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Attack(tmp_path / "unpickled")))
    with pytest.raises(ModelUnavailable):
        load(str(folder))
    (folder / "modeling_own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    config = json.loads((folder / "config.json").read_text())
    own = {"auto_map": {"AutoModelForCausalLM": "modeling_own.Own", "AutoConfig": "modeling_own.Own"}}
    (folder / "config.json").write_text(json.dumps(config | own | {"model_type": "own"}))
    with pytest.raises(ModelUnavailable):
        load(str(folder))
    assert not (tmp_path / "unpickled").exists()
    assert not (tmp_path / "ran").exists()


# The server -----------------------------------------------------------------------------------------------------------


def test_the_server_listens_on_this_machine_alone(writable: str) -> None:
    port = int(writable.rpartition(":")[2])
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    ]
    assert listening == [f"{socket.inet_aton('127.0.0.1')[::-1].hex().upper()}:{port:04X}"]


def test_no_page_may_frame_the_dashboard_and_no_script_from_elsewhere_runs(writable: str) -> None:
    for path in ("/", "/runs", "/_stcore/health", "/nowhere/at/all"):
        with urllib.request.urlopen(f"{writable}{path}", timeout=30) as answer:
            headers = answer.headers
        assert headers.get_all("X-Frame-Options") == ["DENY"]
        assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
        (policy,) = headers.get_all("Content-Security-Policy")
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["frame-ancestors"] == "'none'"
        assert rules["default-src"] == "'self'"
        assert "unsafe-inline" not in rules["script-src"]
        assert "unsafe-eval" not in rules["script-src"].replace("wasm-unsafe-eval", "")


@pytest.mark.parametrize("form", ["http://127.0.0.1:{other}", "http://localhost:{port}", "https://127.0.0.1", "null"])
def test_a_page_of_another_origin_opens_no_websocket_though_it_is_on_this_machine(writable: str, form: str) -> None:
    port = int(writable.rpartition(":")[2])
    stream = f"{writable.replace('http', 'ws')}/_stcore/stream"
    with connect(stream, origin=Origin(writable)):
        pass
    with pytest.raises(InvalidStatus) as refused:
        connect(stream, origin=Origin(form.format(port=port, other=port - 1)))
    assert refused.value.response.status_code == 403


def answer(server: str, host: str, path: str = "/") -> tuple[int, str]:
    """Status and text of the answer to a request that names this host, over a socket to the server."""
    with closing(http.client.HTTPConnection(server.removeprefix("http://"), timeout=30)) as connection:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode()


def shaken_hands(server: str, host: str) -> int:
    """Status of the answer to a websocket that a page of this host opens to it, over a socket to the server."""
    port = int(server.rpartition(":")[2])
    try:
        with connect(
            f"ws://{host}/_stcore/stream",
            origin=Origin(f"http://{host}"),
            sock=socket.create_connection(("127.0.0.1", port), timeout=30),
        ) as opened:
            assert opened.response is not None
            return opened.response.status_code
    except InvalidStatus as refused:
        return refused.response.status_code


def test_a_name_of_somebody_else_s_that_leads_here_is_not_answered(writable: str) -> None:
    """DNS rebinding: a page of evil.example, whose name leads to 127.0.0.1 by now, has its own origin."""
    port = writable.rpartition(":")[2]
    for host in (f"evil.example:{port}", f"localhost.evil.example:{port}", "evil.example"):
        for path in ("/", "/runs", "/_stcore/health", "/_stcore/host-config", "/static/nothing.js"):
            status, text = answer(writable, host, path)
            assert status == 403
            assert "STREAMLIT_SERVER_ALLOWED_HOSTS" in text
        assert shaken_hands(writable, host) == 403
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", f"{socket.gethostname()}:{port}"):
        assert answer(writable, host)[0] == 200
        assert shaken_hands(writable, host) == 101


def test_a_name_that_the_server_is_given_is_answered(home: Path, tmp_path: Path) -> None:
    names = "runs.example.org *.lab.example"
    with served_by(home, tmp_path, RIGHTTREE_READ_ONLY="1", STREAMLIT_SERVER_ALLOWED_HOSTS=names) as (address, _):
        for host in ("runs.example.org", "a.lab.example"):
            assert answer(address, host)[0] == 200
            assert shaken_hands(address, host) == 101
        assert answer(address, "evil.example")[0] == 403


def contents(home: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in home.rglob("*") if path.name not in (".lock", ".turn")}


def test_no_job_is_started_through_the_session_of_a_read_only_server(writable: str, read_only: str, home: Path) -> None:
    shown = Session(writable, "runs")
    assert shown.load().exceptions == []
    button = keyed(shown, "resume-stopped")
    attacker = Session(read_only, "runs")
    assert attacker.load().exceptions == []
    assert not has_key(attacker, "resume-stopped")
    before = contents(home)
    clicked = WidgetState(id=button.id, trigger_value=True)  # as if the page showed the button
    assert attacker.send(clicked).exceptions == []
    assert attacker.title == "Runs"  # where the button would be
    for key in ("start", "import", "start.go", "import.go", "cancel-stopped", "resume-stopped", "retry-stopped"):
        for name in (key, f"$$ID-0-{key}", f"$$ID-{'0' * 32}-{key}"):
            for state in (WidgetState(id=name, trigger_value=True), WidgetState(id=name, bool_value=True)):
                attacker.send(state)  # Streamlit may stumble over a made-up one, for the attacker alone
    assert contents(home) == before
    assert jobs.status(home, "stopped").state == "interrupted"
    assert [run.run_id for run in jobs.list_runs(home)] == ["stopped"]


def test_a_read_only_server_writes_nothing_not_even_the_recorded_run(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with served_by(tmp_path / "home", tmp_path, RIGHTTREE_READ_ONLY="1") as (address, _):
        for page in ("overview", "explore", "runs"):
            session = Session(address, page)
            assert session.load().exceptions == []
            session.close()
    assert list((tmp_path / "home").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"home", "server.log"}
    log = (tmp_path / "server.log").read_text()
    assert "nothing is published" in log
    assert re.findall(r"http://\S+", log) == [f"http://localhost:{address.rpartition(':')[2]}"]  # announced once
    assert "Uvicorn running" not in log


def test_the_same_click_does_resume_where_it_may(writable: str, home: Path) -> None:
    session = Session(writable, "runs")
    session.load()
    answer = session.change(keyed(session, "resume-stopped"), True)
    assert session.title == "Runs"
    assert answer.exceptions == []
    try:
        assert jobs.status(home, "stopped").state == "running"
    finally:
        jobs.cancel(home, "stopped")


def test_an_upload_that_is_too_large_is_refused_by_the_server(writable: str) -> None:
    session = Session(writable, "runs")
    session.load()
    cookies = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    browser.open(f"{writable}/_stcore/health", timeout=30)
    (token,) = [str(cookie.value) for cookie in cookies if cookie.name == "_streamlit_xsrf"]
    headers = {"Content-Type": "multipart/form-data; boundary=x", "X-Xsrftoken": token}
    headers["Content-Length"] = str(201 * 2**20)
    address = f"{writable}/_stcore/upload_file/{session.session_id}/file"
    with pytest.raises(urllib.error.HTTPError) as refused:
        browser.open(urllib.request.Request(address, data=b"", method="PUT", headers=headers), timeout=30)
    assert refused.value.code == 413


def test_uploads_above_the_limit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"^the files have 201 MiB, an upload may have 200 MiB[^\n]*$"):
        jobs.import_uploads(tmp_path / "home", [("a.csv", bytes(201 * 2**20))])
    assert not (tmp_path / "home").exists()
