"""Which origins are the server's own; the headers themselves are asked for in `tests/reliability/test_attacks.py`."""

from __future__ import annotations

import socket

import pytest

from app.access.headers import own_host, policy, same_origin


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "127.0.0.1:8501"),
        ("http://127.0.0.1:8501", "127.0.0.1:8501"),
        ("https://runs.example.org", "runs.example.org"),
        ("https://runs.example.org", "runs.example.org:443"),
        ("https://Runs.example.org:443", "runs.example.org"),
        ("http://[::1]:8501", "[::1]:8501"),
    ],
)
def test_a_page_of_the_server_s_own_origin_is_let_in(origin: str | None, host: str) -> None:
    assert same_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8502", "127.0.0.1:8501"),
        ("http://localhost:8501", "127.0.0.1:8501"),
        ("https://runs.example.org.evil.example", "runs.example.org"),
        ("https://runs.example.org:8443", "runs.example.org"),
        ("http://127.0.0.1:many", "127.0.0.1:8501"),
        ("http://127.0.0.1:8501", None),
        ("null", "127.0.0.1:8501"),
    ],
)
def test_any_other_is_not(origin: str, host: str | None) -> None:
    assert not same_origin(origin, host)


NAMES = ("Runs.example.org", "*.lab.example")


@pytest.mark.parametrize(
    "host",
    [
        *(
            None,
            "127.0.0.1:8501",
            "127.0.0.1",
            "192.0.2.7:80",
            "[::1]:8501",
            "localhost:8501",
            "LOCALHOST.",
            "localhost",
        ),
        *(socket.gethostname(), "runs.example.org", "RUNS.example.org.:443", "a.lab.example", "a.b.lab.example:8501"),
    ],
)
def test_a_request_for_an_address_or_a_name_of_the_server_is_answered(host: str | None) -> None:
    assert own_host(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:8501", "", ":8501", "127.0.0.1.evil.example", "localhost.evil.example:8501", "[::1", "[]"),
        *("127.0.0.1@evil.example", "example.org", "x.runs.example.org", "lab.example", "evillab.example", "*"),
    ],
)
def test_a_request_for_any_other_name_is_not(host: str) -> None:
    assert not own_host(host, NAMES)


def test_a_script_of_our_own_runs_by_its_hash_alone() -> None:
    digest = "'sha256-CihokcEcBW4atb/CW/XWsvWwbTjqwQlE9nj9ii5ww5M='"  # of console.log(1)
    own, other = policy(["console.log(1)"]), policy(["console.log(2)"])
    assert digest in own
    assert digest not in other
    assert digest not in policy()
