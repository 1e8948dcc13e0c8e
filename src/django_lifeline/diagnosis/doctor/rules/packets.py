"""What is sent in one piece, and how slowly results are read."""

from __future__ import annotations

from django_lifeline.diagnosis.doctor.facts import Facts, Field, Project
from django_lifeline.diagnosis.doctor.finding import Found, Level, noted, remark, rule
from django_lifeline.diagnosis.saying import Sayable, lines, listed, say
from django_lifeline.diagnosis.text import N_

ESCAPED = 2
"""A byte of binary data may take two in a statement."""
SMALL_FOR_BULK = 4 << 20
COMFORTABLE_PACKET = 64 << 20
SANE_PACKET = 256 << 20
"""More is not advised: the server takes that much memory for a session that sends it."""
DEFAULT_NET_WRITE_TIMEOUT = 60
LOW_NET_WRITE_TIMEOUT = 10
STREAMING_NET_WRITE_TIMEOUT = 600


@rule(
    "D401",
    N_("Uploads and fields may exceed max_allowed_packet"),
    N_(
        "The server closes the connection on which a larger packet arrives, and the client says "
        "2006, MySQL server has gone away, as if it were a timeout."
    ),
)
def fields_over_packet(facts: Facts) -> Found | None:
    """The largest request body or field against the server's packet."""
    packet = facts.server.number("max_allowed_packet") if facts.server else None
    project = facts.project
    if packet is None or project is None or not project.large_fields:
        return None
    names = [field.name for field in project.large_fields]
    upload = project.upload_limit
    declared = max((_bytes(field) for field in project.large_fields), default=0)
    most = max(ESCAPED * upload if upload else 0, declared)
    if upload is not None and most <= packet:
        return _files_in_fields(project, packet)
    told = (
        say(N_("DATA_UPLOAD_MAX_MEMORY_SIZE is None, so a request may bring any size"))
        if upload is None
        else say(
            N_(
                "a statement may need {most} (DATA_UPLOAD_MAX_MEMORY_SIZE {upload}, escaped up to "
                "twice; largest declared field {declared})"
            ),
            most=_size(most),
            upload=_size(upload),
            declared=_size(declared),
        )
    )
    wanted = _round_up(max(most, COMFORTABLE_PACKET))
    fewer = f"DATA_UPLOAD_MAX_MEMORY_SIZE = {packet // ESCAPED // 2}"
    raised = noted(
        f"SET GLOBAL max_allowed_packet = {wanted};", N_("and in the server's configuration")
    )
    return Found(
        Level.WARNING,
        say(
            N_("max_allowed_packet is {size}; {told}. Fields that take it: {names}."),
            size=_size(packet),
            told=told,
            names=_some(names),
        ),
        lines(raised, remark(N_("or accept less:")), fewer)
        if wanted <= SANE_PACKET
        else lines(fewer, remark(N_("and what is larger into a storage: models.FileField()"))),
        {"max_allowed_packet": packet, "needed": most or None, "fields": names},
    )


def _files_in_fields(project: Project, packet: int) -> Found | None:
    """No setting of Django's limits an uploaded file, so none limits what such a field is given."""
    unlimited = [
        field.name
        for field in project.large_fields
        if field.kind == "BinaryField" and field.limit is None
    ]
    if not unlimited:
        return None
    return Found(
        Level.INFO,
        say(
            N_(
                "max_allowed_packet is {size}, and {names} may be given an uploaded file of any "
                "size."
            ),
            size=_size(packet),
            names=_some(unlimited),
        ),
        lines(
            remark(N_("a file in a storage instead:")),
            "models.FileField(),",
            remark(N_("or a limit, checked by your form:")),
            f"models.BinaryField(max_length={packet // ESCAPED // 2}),",
        ),
        {"max_allowed_packet": packet, "fields": unlimited},
    )


@rule(
    "D402",
    N_("Bulk operations send everything in one statement"),
    N_(
        "With the stock engine bulk_create() without batch_size makes one INSERT of all objects. "
        "When it is longer than max_allowed_packet the connection is closed (2006), and so is the "
        "next."
    ),
)
def bulk_over_packet(facts: Facts) -> Found | None:
    """The stock engine and a small packet; this package's splits by bytes."""
    packet = facts.server.number("max_allowed_packet") if facts.server else None
    if packet is None or facts.settings.ours or packet >= COMFORTABLE_PACKET:
        return None
    return Found(
        Level.WARNING if packet <= SMALL_FOR_BULK else Level.INFO,
        say(
            N_(
                "max_allowed_packet is {size}, and the stock engine does not limit a statement to "
                "it."
            ),
            size=_size(packet),
        ),
        lines(
            f"SET GLOBAL max_allowed_packet = {COMFORTABLE_PACKET};",
            remark(N_("and in the code:")),
            "Model.objects.bulk_create(objects, batch_size=500)",
        ),
        {"max_allowed_packet": packet},
    )


@rule(
    "D403",
    N_("Results are read more slowly than the server waits"),
    N_(
        "While rows are read one by one the server blocks on sending. After net_write_timeout it "
        "gives up and closes, and the client gets 2013 in the middle of the result."
    ),
)
def net_write_timeout_too_low(facts: Facts) -> Found | None:
    """Low for anybody, or too low for a cursor that streams."""
    wait = facts.server.number("net_write_timeout") if facts.server else None
    if wait is None:
        return None
    streaming = facts.settings.streaming
    enough = STREAMING_NET_WRITE_TIMEOUT if streaming else DEFAULT_NET_WRITE_TIMEOUT
    if wait >= enough:
        return None
    level = Level.WARNING if streaming or wait < LOW_NET_WRITE_TIMEOUT else Level.INFO
    told = (
        N_("net_write_timeout is {wait} s; and OPTIONS['cursorclass'] streams every result.")
        if streaming
        else N_("net_write_timeout is {wait} s; the default is {default} s.")
    )
    return Found(
        level,
        say(told, wait=wait, default=DEFAULT_NET_WRITE_TIMEOUT),
        lines(
            f"SET GLOBAL net_write_timeout = {enough};",
            remark(N_("or only where a result is read slowly, before it:")),
            f"SET SESSION net_write_timeout = {STREAMING_NET_WRITE_TIMEOUT};",
        ),
        {"net_write_timeout": wait, "streaming": streaming},
    )


def _bytes(field: Field) -> int:
    """How long a statement may get by this field; text has up to four bytes a character."""
    if field.limit is None:
        return 0
    return field.limit * (ESCAPED if field.kind == "BinaryField" else 4)


def _round_up(size: int) -> int:
    """The variable is a multiple of 1024; a power of two reads better, and 1 GiB is the most."""
    return min(1 << (size - 1).bit_length(), 1 << 30)


def _size(size: int) -> Sayable:
    if size >= 1 << 20:
        return f"{size / (1 << 20):.4g} MiB"
    return f"{size / 1024:.4g} KiB" if size >= 1024 else say(N_("{count} bytes"), count=size)


def _some(names: list[str]) -> Sayable:
    more = len(names) - 3
    first = listed(names[:3])
    return say(N_("{some} and {count} more"), some=first, count=more) if more > 0 else first


RULES = (fields_over_packet, bulk_over_packet, net_write_timeout_too_low)
