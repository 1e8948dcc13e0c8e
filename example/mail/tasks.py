"""For ``SCHEDULE_RUNNER=celery``. What is to be sent stands in the database, not in the tasks:
one that is lost, comes twice or comes late changes nothing."""

from celery import shared_task
from django.conf import settings

from mail.models import Delivery, State
from mail.runners import guarded
from mail.sending import do_round, send_all


@shared_task(name="mail.tasks.round")
def round() -> None:
    """Sent by beat; asks for senders when there is something to send."""
    with guarded():
        do_round()
        if Delivery.objects.filter(state=State.QUEUED).exists():
            for _ in range(settings.SENDERS):
                send.apply_async(expires=10)


@shared_task(name="mail.tasks.send")
def send() -> None:
    with guarded():
        send_all()
