"""When the server refuses a statement: whether another server, or a new session, would take it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from django_lifeline.backends.evidence import successor_of
from django_lifeline.backends.failover import Search, ask_role
from django_lifeline.backends.hold import Hold
from django_lifeline.backends.losses import Losses
from django_lifeline.backends.notices import Restored, publish
from django_lifeline.core.classification import Ran, verdict
from django_lifeline.core.events import Reason
from django_lifeline.core.retry import Decision
from django_lifeline.core.statement import Statement
from django_lifeline.core.topology import RAISE_QUESTIONS, Then, after_refusal, goes_on
from django_lifeline.diagnosis.facts import LossFacts, Phase
from django_lifeline.diagnosis.loss import diagnose
from django_lifeline.diagnosis.model import Done


class Refusals(Losses):
    """The part of a wrapper that leaves a server which does not take what is asked of it."""

    def _after_refusal(
        self, hold: Hold, statement: Statement, error: BaseException, *, may_follow: bool = True
    ) -> Hold | None:
        """Return a connection to a server that takes what this one refused for its part; or None.

        A refused statement did not run, so it may be repeated like one that was never sent.
        """
        left = self._leave_if_demoted(hold, statement, error)
        if left is None:
            # Of several commands, or of code that is not in the text, a part may have run before.
            alone = not statement.batch and not statement.opaque
            ended = may_follow and alone and self._ended_refusing(hold, error)
            if ended and verdict(error.args[0]).ran is Ran.NO:
                return self._replace(hold, statement, Reason.DEAD)
            return None
        decision, facts = left
        return self._follow(hold, facts, error) if decision.repeat and may_follow else None

    def _ended_refusing(self, hold: Hold, error: BaseException) -> bool:
        """Whether the session ended before it could tell why: its server is being shut down."""
        code = error.args[0] if error.args and isinstance(error, self.Database.Error) else None
        if code not in RAISE_QUESTIONS:
            return False
        connection = hold.connection
        return bool(connection.broken) or not (connection.busy or connection.alive())

    def _leave_if_demoted(
        self, hold: Hold, statement: Statement, error: BaseException
    ) -> tuple[Decision, LossFacts] | None:
        """Leave a server that takes no writes any more; None: it is not that, or not known."""
        code = error.args[0] if error.args and isinstance(error, self.Database.Error) else None
        if code not in RAISE_QUESTIONS or hold.connection.busy:
            return None
        writer = self._find_target().writer
        role = ask_role(hold.connection, code)
        hold.seen = hold.connection.commands
        then = after_refusal(role, wanted=writer.wanted, written=writer.written)
        if then is Then.LEAVE:
            hold.lease.slot.set_aside()
        if role is None or then is not Then.FOLLOW:
            if role is not None:
                error.takes_writes = role.takes_writes  # type: ignore[attr-defined]
            return None
        writer.leave(hold.lease)
        # Of several commands, or of code that is not in the text, a part may have run before.
        part = statement.batch or statement.opaque or verdict(code).ran is not Ran.NO
        decision = self._decide(hold, statement, sent=part)
        facts = self._facts(hold, statement, decision, Phase.IN_FLIGHT, error)
        facts = replace(facts, refused_for=role.told)
        error.diagnosis = diagnose(facts)  # type: ignore[attr-defined]
        return decision, facts

    def _follow(self, hold: Hold, facts: LossFacts, error: BaseException) -> Hold | None:
        """Go on where the server's name leads to one that takes writes; None: there was none.

        Then what is held is the last that was found, on which all but writing works.
        """
        search = self._find_target().writer.search()
        if search is None:
            return None
        code = error.args[0]
        new = self._stand_in(hold, Reason.RETIRED, partial(self._search, search, code))
        if not search.found:
            self._rest(new)
            return None
        successor = successor_of(hold.connection, new.connection)
        done = replace(facts, done=Done.REPEATED, successor=successor)
        self._rest(new)
        publish(Restored(self._find_target().name, self.alias, diagnose(done)))
        return self._held(new)

    def _search(self, search: Search, code: object) -> Hold:
        """Borrow until it is from a server that takes writes, or the time is over.

        Without a connection meanwhile: those who wait for the turn must not fill the pool.
        """
        with search.turn():
            while True:
                try:
                    hold = self._take()
                except self.Database.Error as away:
                    if not goes_on(away.args[0] if away.args else None) or not search.pauses():
                        raise
                    continue
                found = search.ends(hold.connection, code, self.alias)
                hold.seen = hold.connection.commands
                if found:
                    return hold
                hold.lease.slot.set_aside()
                if not search.pauses():
                    return hold
                self._drop(hold, Reason.RETIRED)

    def _where_more_is_taken(
        self, hold: Hold, statement: Statement, *, may_follow: bool
    ) -> Hold | None:
        """After a statement was too large for its session: return a new one that may take it.

        A session keeps the limit that was the server's when it began, and one of the pool's may
        be old. Asking costs a round trip, after the error alone. None: the limit is what it was,
        the session is needed for what it holds, or the statement is not to follow.
        """
        if hold.resting and not hold.lease.resume():
            return None
        hold.resting = False
        try:
            limit = int(hold.connection.run("SELECT @@global.max_allowed_packet")[0][0])
        except self.Database.Error:
            return None  # whoever uses the connection next finds out what it has
        hold.seen = hold.connection.commands
        if limit > hold.connection.max_packet:
            if hold.lease.slot.generation == hold.pool.generation:
                hold.pool.retire_generation()
            if may_follow and self._decide(hold, statement, sent=False).repeat:
                return self._renew_inside(hold)
        self._rest(hold)
        return None

    def _renew_inside(self, hold: Hold) -> Hold:
        """Replace a living connection where nothing depends on it but what can be made again."""
        self._keep_for_later(hold, lost=True)
        self._hold, self._owed = None, hold.session.settings
        hold.pool.retire(hold.lease)
        return self._stand_in_for(hold.session, self._take)
