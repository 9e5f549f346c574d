"""When a CronJob's schedule holds, and what happens then."""

from datetime import UTC, datetime

import pytest

from sandbox.controllers import cron

START = datetime(2026, 1, 1, 10, 7, 30, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", "2026-01-01 10:08"),
        ("*/15 * * * *", "2026-01-01 10:15"),
        ("0 3 * * *", "2026-01-02 03:00"),
        ("30 9-17/4 * * mon-fri", "2026-01-01 13:30"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 0 13 * 5", "2026-01-02 00:00"),
        ("0 12 * * 7", "2026-01-04 12:00"),
        ("@hourly", "2026-01-01 11:00"),
        ("0 0 31 2 *", None),
    ],
)
def test_the_next_time_of_a_schedule(text, expected):
    found = cron.following(cron.parse(text), START)
    assert (found.strftime("%Y-%m-%d %H:%M") if found else None) == expected


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "a * * * *", "5-1 * * * *"])
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ValueError):
        cron.parse(text)


async def test_a_cron_job_starts_jobs_and_keeps_the_last_three(world):
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example.test/job:1"}]}
    spec = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    metadata = {"name": "tidy", "namespace": "shop"}
    await world.client.create({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec})
    await world.pass_time(310)
    assert len(world.items("batch", "jobs")) == 1
    await world.pass_time(1500)
    jobs = world.items("batch", "jobs")
    assert len(jobs) == 3
    assert all("Complete" in {c["type"] for c in job["status"]["conditions"]} for job in jobs)
    assert world.find("batch", "cronjobs", "tidy")["status"]["lastScheduleTime"] == "2026-01-01T00:30:00Z"
