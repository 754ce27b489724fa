"""A run's files pass through an object store: a real S3 server on this machine, and its real client."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from pipeline import runs
from pipeline.backends.ray.storage import Store, files_of, own_folder
from pipeline.config import load_profile
from pipeline.errors import PipelineError
from pipeline.prompts import load_prompts
from pipeline.runs import RunDirectory


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket; the environment says where the server is, as a user's would."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()
    s3fs.S3FileSystem().mkdir("bucket")
    yield "s3://bucket"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    made = runs.create(tmp_path / "here", load_profile("smoke"), "stored")
    made.write_part("prompt", "prompts", 0, load_prompts())
    weights = made.work_path("reward_models", "flip-0.00", "model.safetensors")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(os.urandom(6 * 2**20))  # more than one piece of an upload
    return made


@pytest.mark.parametrize("planted", ["link", "open folder", "file"])
def test_a_folder_that_somebody_else_may_have_put_into_the_temporary_one_is_not_used(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    place, others = tmp_path / "tmp" / f"righttree-{os.getuid()}", tmp_path / "others"
    others.mkdir()
    (others / "mine.txt").write_text("mine")
    place.parent.mkdir()
    if planted == "link":
        place.symlink_to(others)
    elif planted == "file":
        place.write_text("")
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(PipelineError, match=r"is not a folder that only this user may use .* set TMPDIR"):
        own_folder(run.path, run.config.model_dump_json())
    assert (others / "mine.txt").exists()
    place.rmdir() if planted == "open folder" else place.unlink()
    made = own_folder(run.path, run.config.model_dump_json())
    assert made.path.parent.parent == place
    assert place.stat().st_mode & 0o077 == 0


def test_files_come_back_from_an_object_store_as_they_were(run: RunDirectory, bucket: str, tmp_path: Path) -> None:
    files = files_of(run)
    assert len(files) == 2
    Store(f"{bucket}/scratch/stored").put(run, files)
    elsewhere = runs.create(tmp_path / "there", load_profile("smoke"), "stored")
    Store(f"{bucket}/scratch/stored").get(elsewhere, files)
    assert files_of(elsewhere) == files
    for name in files:
        assert (elsewhere.path / name).read_bytes() == (run.path / name).read_bytes()


def test_a_file_is_put_again_only_when_it_has_changed(run: RunDirectory, bucket: str) -> None:
    store, system = Store(f"{bucket}/stored"), s3fs.S3FileSystem(use_listings_cache=False)
    store.put(run, files_of(run))
    before = {name: system.info(name)["LastModified"] for name in system.find("bucket/stored")}
    system.rm_file(sorted(before)[0])
    store.put(run, files_of(run))
    assert len(system.find("bucket/stored")) == len(before) - 1  # it is known to be there
    for name in files_of(run):
        os.utime(run.path / name, ns=(1, 1))
    store.put(run, files_of(run))
    assert len(system.find("bucket/stored")) == len(before)


def test_the_store_is_empty_in_the_end(run: RunDirectory, bucket: str) -> None:
    store, system = Store(f"{bucket}/stored"), s3fs.S3FileSystem(use_listings_cache=False)
    store.put(run, files_of(run))
    assert system.find("bucket")
    store.remove()
    assert not system.find("bucket")


def test_a_bucket_or_a_file_that_is_not_there_is_one_line(run: RunDirectory, bucket: str) -> None:
    with pytest.raises(PipelineError, match=r"the store s3://nobodys/x cannot be used \(.*--ray-storage") as refused:
        Store("s3://nobodys/x").put(run, files_of(run))
    assert "\n" not in str(refused.value)
    with pytest.raises(PipelineError, match=f"the store {bucket}/x cannot be used"):
        Store(f"{bucket}/x").get(run, {"prompt/prompts-0.parquet": 1})


def test_openrlhf_s_checkpoints_are_waited_for_and_its_states_are_not(run: RunDirectory) -> None:
    before = files_of(run).keys()
    for name in (
        "ended.json",
        "prompts.jsonl",
        "checkpoints/global_step2_hf/model.safetensors",
        "checkpoints/final/config.json",
        "checkpoints/_actor/latest",
        "checkpoints/_actor/zero_to_fp32.py",
        "checkpoints/_actor/global_step2/mp_rank_00_model_states.pt",
    ):
        path = run.work_path("ppo", ".training", "flip-0.00", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert {name.removeprefix("work/ppo/.training/flip-0.00/") for name in files_of(run).keys() - before} == {
        "ended.json",
        "checkpoints/global_step2_hf/model.safetensors",
        "checkpoints/final/config.json",
    }
