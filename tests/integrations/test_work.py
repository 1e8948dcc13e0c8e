"""What work is called in a real worker. Celery's is asked in the unit tests, for it needs none."""

from __future__ import annotations

from tests.integrations.conftest import Run, needs


def test_rqs_job_is_named_by_rq_itself(run: Run, redis_url: str) -> None:
    needs("rq", "rq")
    said = run("rq_names", REDIS=redis_url)
    assert said == ["django_lifeline.integrations.work.current_work", "MainThread"]
