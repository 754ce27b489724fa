"""Runs on disk. What has no marker does not exist; the manifest is written last.

```
runs/<run_id>/config.json            the validated profile, written when the run is created
             /created.json           when that was
             /<table>/<stage>-<unit>.parquet   parts, each written to a temporary name, synced and renamed
             /parts.sha256           a checksum of every part
             /work/…                 what stages store for later ones: features, weights
             /stages/<stage>.json    a stage's marker: it is done
             /manifest.json          the run is finished
             /retry.json             policies that are to be trained again
             /ray-job.json           the job of a cluster that is to work on it
             /progress.json, log.txt, error.txt, console.txt   for people and for the dashboard
             /.lock                  the lock of the process that works on it
     /.turn                          the lock of the run that is executing
```
"""

from __future__ import annotations

from pipeline.runs.directory import RunDirectory
from pipeline.runs.folder import check_id, create, created_at, now, open_run, remove, run_ids, run_path, runs_folder

__all__ = [
    "RunDirectory",
    "check_id",
    "create",
    "created_at",
    "now",
    "open_run",
    "remove",
    "run_ids",
    "run_path",
    "runs_folder",
]
