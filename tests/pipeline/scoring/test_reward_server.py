"""A reward server's answers: asked as OpenRLHF asks, taken only whole and finite, tried again where that may help."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.config import AddedRewardModel, validated
from pipeline.errors import InvalidConfig, InvalidSetting, NoScore
from pipeline.scoring import added
from pipeline.scoring.reward_server import RewardServer
from tests.pipeline.reward_models_elsewhere import reward_of, rewards, serving

TEXTS = [(f"question {number}?", f'answer "{number}"\r\nHost: x\u2028é') for number in range(5)]


def opened(url: str, **changed: Any) -> RewardServer:
    settings = {"name": "server", "url": url, "batch_texts": 2, "tries": 2, "timeout_s": 5.0, **changed}
    return RewardServer(AddedRewardModel.model_validate(settings), lambda text: (text[0], "|".join(text)))


def test_texts_are_asked_in_batches_and_scored_in_order() -> None:
    with serving() as server:
        scores = opened(server.url).score(TEXTS)
    np.testing.assert_array_equal(scores, np.array([reward_of("|".join(text)) for text in TEXTS], dtype=np.float32))
    assert scores.dtype == np.float32
    assert [len(asked["query"]) for asked in server.asked] == [2, 2, 1]
    assert server.asked[2] == {"query": ["|".join(TEXTS[4])], "prompts": [TEXTS[4][0]], "labels": [""]}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"rewards": [0.5]}', [0.5]),
        ('{"scores": [2]}', [2.0]),
        ('{"rewards": [[-1.5]], "scores": [0.0]}', [-1.5]),
    ],
)
def test_forms_of_an_answer(body: str, wanted: list[float]) -> None:
    with serving(lambda _: (200, body.encode())) as server:
        assert opened(server.url).score(TEXTS[:1]).tolist() == wanted


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"rewards": [0.5, 0.5]}', "got 2 for the rewards of 1 texts"),
        ('{"rewards": []}', "got 0 for the rewards of 1 texts"),
        ('{"rewards": 0.5}', "got 0.5 for the rewards"),
        ('{"rewards": [NaN]}', "got the reward nan"),
        ('{"rewards": [-Infinity]}', "got the reward -inf"),
        ('{"rewards": [1e39]}', "got the reward 1e[+]39"),
        ('{"rewards": [1' + "0" * 400 + "]}", "got the reward 1000"),
        ('{"rewards": [null]}', "got the reward None"),
        ('{"rewards": ["0.5"]}', "got the reward '0.5'"),
        ('{"rewards": [true]}', "got the reward True"),
        ('{"rewards": [[0.1, 0.2]]}', "got the reward .0.1, 0.2."),
        ('{"reward": [0.5]}', "it has to be a JSON object with rewards"),
        ("[0.5]", "it has to be a JSON object with rewards"),
        ("<html>", "it has to be a JSON object with rewards"),
        ("", "it has to be a JSON object with rewards"),
    ],
)
def test_an_answer_that_is_not_a_finite_score_for_each_text_is_refused(body: str, says: str) -> None:
    with serving(lambda _: (200, body.encode())) as server, pytest.raises(NoScore, match=says):
        opened(server.url).score(TEXTS[:1])


def test_a_server_that_fails_once_is_asked_again() -> None:
    with serving() as server:
        server.answer = lambda asked: rewards(asked) if len(server.asked) > 1 else (503, b"busy")
        assert len(opened(server.url).score(TEXTS[:2])) == 2
        assert len(server.asked) == 2


@pytest.mark.parametrize(("status", "asked"), [(500, 2), (429, 2), (404, 1), (422, 1)])
def test_a_refusal_is_final_and_a_failure_is_not(status: int, asked: int) -> None:
    with serving(lambda _: (status, b"no")) as server:
        with pytest.raises(NoScore, match=rf"no answer .* in {asked} of 2 tries"):
            opened(server.url).score(TEXTS[:1])
        assert len(server.asked) == asked


def test_a_server_that_has_died_is_named() -> None:
    with serving() as server:
        pass
    with pytest.raises(NoScore, match=rf"{server.url}: no answer .*refused.* in 2 of 2 tries"):
        opened(server.url).score(TEXTS[:1])


def test_a_server_that_takes_too_long_is_given_up() -> None:
    given_up = Event()

    def late(asked: dict[str, Any]) -> tuple[int, bytes]:
        given_up.wait(60)
        return rewards(asked)

    with serving(late) as server:
        with pytest.raises(NoScore, match="timed out"):
            opened(server.url, timeout_s=0.2, tries=1).score(TEXTS[:1])
        given_up.set()


def test_a_redirect_is_not_followed() -> None:
    with serving() as other, serving(lambda _: (307, b""), location=other.url) as server:
        with pytest.raises(NoScore, match="no answer"):
            opened(server.url, tries=1).score(TEXTS[:1])
        assert other.asked == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file:///etc/passwd", "http://… or https://"),
        ("ftp://host/x", "http://… or https://"),
        ("http:///reward", "http://… or https://"),
        ("http://host/a b", "http://… or https://"),
        ("http://host/\r\nX: y", "http://… or https://"),
        ("http://[::1", "url"),
        ("http://me:secret@host/reward", "no user name or password"),
        ("localhost:5000", "http://… or https://"),
        ("http://host:99999/", "url"),
        ("http://höst/", "http://… or https://"),
    ],
)
def test_an_address_that_is_no_plain_http_is_refused(url: str, says: str) -> None:
    with pytest.raises(InvalidSetting, match=says) as refused:
        added.settings_of(url=url, name="server")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2@host/reward",
        "http://me:at@hunter2@host/reward",
        "ftp://me:hunter2@host/reward",
        "http://host/reward?token=hunter2",
        "http://host/reward?model=a&Access_Token=hunter2",
        "http://host/reward?api-key=hunter2",
        "http://host:port/reward?token=hunter2",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        added.settings_of(url=url, name="server")
    assert "host" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(InvalidConfig) as refused_profile:
        validated({"reward_models": {"added": [{"name": "server", "url": url, "model": "me"}]}}, "own.toml")
    assert "hunter2" not in str(refused_profile.value)


def test_other_values_in_an_address_stay() -> None:
    assert added.settings_of(url="http://host/reward?model=mine", name="server").url == "http://host/reward?model=mine"


def test_a_server_is_named_after_its_host() -> None:
    assert added.settings_of(url="http://rm.lan:5000/get").name == "rm.lan-5000"
    assert json.loads(added.settings_of(url="http://h/", name="mine", tries=3).model_dump_json())["tries"] == 3


@pytest.fixture
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("_no_proxies")
def test_proxies_are_those_of_http_and_https(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not `all_proxy`, which often is a SOCKS proxy that httpx cannot use without another package."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with serving() as server:
        assert len(opened(server.url).score(TEXTS)) == len(TEXTS)
        monkeypatch.setenv("http_proxy", server.url.removeprefix("http://").removesuffix("/reward"))
        assert len(opened("http://elsewhere.invalid/reward").score(TEXTS)) == len(TEXTS)
        monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
        with pytest.raises(NoScore, match=r"elsewhere\.invalid.*SOCKS"):
            opened("http://elsewhere.invalid/reward").score(TEXTS)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert len(opened(server.url).score(TEXTS)) == len(TEXTS)


@pytest.mark.usefixtures("_no_proxies")
def test_certificates_that_the_system_trusts_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(tls=tls) as server:
        with pytest.raises(NoScore, match="certificate"):
            opened(server.url, tries=1).score(TEXTS)
        monkeypatch.setattr(
            ssl.SSLContext, "load_default_certs", lambda context, *_: context.load_verify_locations(certificate)
        )  # the system's list
        assert len(opened(server.url, tries=1).score(TEXTS)) == len(TEXTS)


def _self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM))
    return path
