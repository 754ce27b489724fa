"""Which origins are the server's own; the headers themselves are asked for in `tests/reliability/test_attacks.py`."""

from __future__ import annotations

import pytest

from app.access.headers import policy, same_origin


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


def test_a_script_of_our_own_runs_by_its_hash_alone() -> None:
    digest = "'sha256-CihokcEcBW4atb/CW/XWsvWwbTjqwQlE9nj9ii5ww5M='"  # of console.log(1)
    own, other = policy(["console.log(1)"]), policy(["console.log(2)"])
    assert digest in own
    assert digest not in other
    assert digest not in policy()
