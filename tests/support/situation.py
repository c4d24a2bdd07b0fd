"""What can happen between people, a trainer, Airflow and the notary."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.adapters.store import put_blob
from include.rsp import records as r
from include.wiring import assessment, holding, registration, safeguarding, signing_off
from tests.support.histories import (
    ACKNOWLEDGEMENT,
    ANNOUNCEMENT,
    HEARTBEAT,
    altered,
)
from tests.support.looking import ACCEPT, NOTHING, Looked, picked
from tests.support.people import TEST
from tests.support.scenes import next_version
from tests.support.world import RUN


class Situation(Looked):
    """One history: what can happen in it, by name."""

    # What people do

    def write_report(self, purpose: Any, judged: bool) -> None:
        self.tried(lambda: self.reported(purpose, judged=judged))

    def reported(self, purpose: Any, *, judged: bool = True) -> str:
        verdict = self.newest()
        judgement = safeguarding.judge(self.history.desk, verdict)[0] if judged else None
        digest = signing_off.write_report(
            self.history.desk, verdict, judgement, purpose=purpose, asked=TEST
        )[0]
        self.reports.append(digest)
        return digest

    def opine(self, one: int, view: str, key: str | None, ago: float) -> None:
        for report in picked(self.reports, one):
            self.said("opinion", report, "second-line", view, key=key, ago=ago)

    def close(self, one: int) -> None:
        for report in picked(self.reports, one):
            self.tried(self.closed, report)

    def determine(
        self, one: int, office: str, choice: str, key: str | None, ago: float,
        more: dict[str, Any], clicked: bool,
    ) -> None:  # fmt: skip
        for packet in picked(self.packets, one):
            if clicked:
                self.clicked("determination", packet, office, choice, ago=ago, typed=more)
            else:
                self.said("determination", packet, office, choice, key=key, ago=ago, **more)

    def receive(
        self, one: int, office: str, ago: float, notice: str, clicked: bool, choice: str
    ) -> None:
        for packet in picked(self.packets, one):
            if clicked:
                self.clicked("receipt", packet, office, choice, ago=ago, typed={}, notice=notice)
            else:
                self.said("receipt", packet, office, choice, key=None, ago=ago, notice=notice)

    def bring_the_same_answer_again(self, one: int) -> None:
        for again in picked(self.answers, one):
            self.history.brought(again.model_copy(update={"at": self.history.now}))

    def revoke(self, office: str, one: int, key: str | None) -> None:
        for permit in picked(list(self.oracle.permits), one):
            self.said("revocation", permit, office, "revoke", key=key, ago=0)

    # What leads to a permit, nearly

    def sign_off(
        self, purpose: Any, wrong: str | None, clicked: list[bool], below: bool, shown: bool,
        ask: bool,
    ) -> None:  # fmt: skip
        """A whole sign-off, as it should be or with one thing wrong."""
        if shown:
            self.tried(self.history.add_evidence)
        packet = self.tried(lambda: self.heard(purpose, wrong, clicked[0]))
        if packet is None:
            return
        self.signed(packet, wrong, clicked[1:], "below_recommendation" if below else ACCEPT)
        self.history.pass_time(seconds=1 if wrong != "late" else 90_000)
        if wrong != "no receipt":
            self.told(packet, wrong, clicked[3])
        self.spoiled(packet, wrong)
        if ask:
            self.ask_for(packet)

    def signed(self, packet: str, wrong: str | None, clicked: list[bool], choice: str) -> None:
        roles = self.policy.sign_off.roles
        for number, office in enumerate(reversed(roles) if wrong == "order" else roles):
            self.history.pass_time(seconds=1)
            key = {"person": "ceo-by-rso", "author": "ceo-by-author"}.get(wrong or "")
            key = key if office == "ceo" else None
            if wrong == "a no taken back" and not number:
                self.said("determination", packet, office, "stricter", key=None, ago=0)
                self.history.pass_time(seconds=1)
            said = "stricter" if wrong == "choice" and number else choice
            ago = 1.5 if wrong == "back-dated" and number else 0
            more = {"response": "lock"} if wrong == "response" else {}
            if clicked[number] and key is None:
                self.clicked("determination", packet, office, said, ago=ago, typed=more)
            else:
                self.said("determination", packet, office, said, key=key, ago=ago, **more)

    def spoiled(self, packet: str, wrong: str | None) -> None:
        """After all have answered, before anybody asks."""
        tasks = self.history.airflow.tasks
        match wrong:
            case "second thoughts":
                report = self.history.state.expect(packet, r.Packet).report.record
                self.said("opinion", report, "second-line", "need_more", key=None, ago=0)
            case "evidence refuted":
                self.tried(lambda: self.history.add_evidence(shows=False))
            case "cleared":
                tasks.clear()
            case "answered again" | "by another user":
                for key, one in list(tasks.items()):
                    again = altered(one, wrong, self.history.now)
                    assert again is not None
                    tasks[key] = again
            case "a no on an older packet":
                for older in self.packets[:-1][-1:]:
                    self.said("determination", older, "rso", "stricter", key=None, ago=0)

    def told(self, packet: str, wrong: str | None, clicked: bool) -> None:
        ago = 2 if wrong == "early receipt" else 0
        for notice in self.policy.notices:
            for office in notice.to if notice.before_permit else []:
                given = "approved" if notice.approval or clicked else "received"
                given = "received" if wrong == "only told" else given
                given = "rejected" if wrong == "told" else given
                if wrong == "a rejection taken back":
                    self.said("receipt", packet, office, "rejected", key=None, ago=0,
                              notice=notice.id)  # fmt: skip
                if clicked:
                    self.clicked("receipt", packet, office, given, ago=ago, typed={},
                                 notice=notice.id)  # fmt: skip
                else:
                    self.said("receipt", packet, office, given, key=None, ago=ago,
                              notice=notice.id)  # fmt: skip

    def heard(self, purpose: Any, wrong: str | None, clicked: bool) -> str | None:
        report = self.reported(purpose, judged=wrong != "not judged")
        view = "need_more" if wrong == "view" else "agree"
        if clicked:
            self.clicked("opinion", report, "second-line", view, ago=0, typed={})
        else:
            self.said("opinion", report, "second-line", view, key=None, ago=0)
        return self.closed(report)

    def closed(self, report: str) -> str | None:
        found = signing_off.close_packet(self.history.desk, report)
        if found is None:
            self.forced(report)
        self.packets += [found[0]] if found else []
        return found[0] if found else None

    def forced(self, report: str) -> None:
        """Close a packet although the second line does not let it."""
        heard = [key for key, x in self.oracle.of(r.Opinion) if x.about.record == report]
        for opinion in heard[-1:]:
            desk = self.history.desk
            text = put_blob(self.history.store, b"all is well", name="packet.md")
            self.history.brought(
                r.Packet(
                    at=self.history.now, by="mallory", stamp=desk.stamp,
                    report=r.RecordRef(record=report), opinion=r.RecordRef(record=opinion),
                    document=text, page=text,
                )
            )  # fmt: skip

    def ask_for_the_packet(self, one: int) -> None:
        """Ask for what the packet says, as the task does."""
        for packet in picked(self.packets, one):
            self.ask_for(packet)

    def ask_for(self, packet: str) -> None:
        report = self.history.state.report_of(packet)
        self.asked(report.purpose, report.verdict, packet, report.hold, seen=0)

    def ask(self, purpose: str, packet: int | None, hold: str, seen: int, old: bool) -> None:
        """Ask for anything at all."""
        verdicts = list(self.history.state.runs[RUN].verdicts)
        of_all = [key for key, one in self.oracle.of(r.Hold) if one.scope == purpose]
        held = self.oracle.held(RUN, purpose)
        named = {"none": [], "newest": held[-1:], "oldest": of_all[:1]}[hold]
        about = picked(self.packets, packet) if packet is not None else []
        self.asked(
            purpose, r.RecordRef(record=verdicts[0 if old else -1]), about[0] if about else None,
            r.RecordRef(record=named[0]) if named else None, seen=seen,
        )  # fmt: skip

    def ask_a_machine(self, purpose: Any) -> None:
        """Ask as a DAG does where nobody has to be asked."""
        verdict = r.RecordRef(record=self.newest())
        self.asked(purpose, verdict, None, None, seen=0)

    def asked(
        self, purpose: Any, verdict: r.RecordRef, packet: str | None, hold: r.RecordRef | None,
        *, seen: int,
    ) -> None:  # fmt: skip
        history = self.history
        length = history.state.length
        request = r.PermitRequest(
            at=history.now, by="anybody", stamp=history.desk.stamp, purpose=purpose, run_id=RUN,
            verdict=verdict, packet=r.RecordRef(record=packet) if packet else None, hold=hold,
            seen_index={0: length - 1, 1: max(0, length - 12), -1: length}[seen],
        )  # fmt: skip
        if self.tried(lambda: history.desk.ask(request)) is not None:
            self.seen["permit"] += 1
            self.seen["permit by people" if packet else "permit by a machine"] += 1

    # What goes on meanwhile

    def time_passes(self, seconds: int) -> None:
        self.history.pass_time(seconds=seconds)

    def add_evidence(self, shows: bool, age: int) -> None:
        at = self.history.now - timedelta(days=age)
        self.tried(lambda: self.history.add_evidence(shows=shows, collected_at=at))

    def assess_anew(self, addition: int) -> None:
        if self.assessed or "toy" not in self.policy.id:
            return
        self.assessed = True
        history = self.history
        history.publish(32)
        registration.register_new(history.desk)
        due = registration.raise_due_occasions(history.desk)
        due = [key for key in due if history.state.checkpoint_of(key)[1].location.endswith("/x32")]
        for key in due[-1:]:
            history.evaluate(key, addition=addition)
            self.tried(assessment.reach_verdict, history.desk, key)

    def replace_the_policy(self) -> None:
        if not self.adopted and "toy" in self.policy.id:
            self.adopted = True
            self.history.adopt(next_version(self.history.policy))

    def kill_the_notary(self) -> None:
        self.history.kill_notary()

    def tamper_with_airflow(self, one: int, how: str) -> None:
        airflow = self.history.airflow
        if how == "open to all":
            airflow.open_to_all = not airflow.open_to_all
            return
        for key in list(airflow.tasks)[-1 - one :][:1]:
            changed = altered(airflow.tasks[key], how, self.history.now)
            if changed is None:
                del airflow.tasks[key]
            else:
                airflow.tasks[key] = changed

    def the_trainer(self, one: int, what: str) -> None:
        history, holds = self.history, [key for key, _ in self.oracle.of(r.Hold)]
        body: dict[str, Any] = {"state": "stopped", "last_step": 64, "last_flop": 1e10,
                                "last_checkpoint": None}  # fmt: skip
        beat = {"state": "training", "step": 64 + one, "flop": 1e10}
        match what:
            case "acknowledges" | "acknowledges early" | "acknowledges twice" if holds:
                early = timedelta(days=what == "acknowledges early")
                (about,) = picked(holds, one)
                history.trainer_says(ACKNOWLEDGEMENT, about, body, at=history.now - early)
                if what == "acknowledges twice":
                    history.trainer_says(ACKNOWLEDGEMENT, about, body | {"last_step": 65})
            case "trains":
                history.trainer_says(HEARTBEAT, NOTHING, beat)
            case "idles":
                history.trainer_says(HEARTBEAT, NOTHING, beat | {"state": "idle"})
            case "publishes":
                history.publish(5 + one, weights=b"%d" % one)
                registration.register_new(history.desk)
            case "announces":
                history.trainer_says(ANNOUNCEMENT, NOTHING, {}, run_id="run-2")

    def look_whether_it_stands_still(self, one: int) -> None:
        for hold in picked(self.oracle.held(RUN, "training"), one):
            self.tried(holding.verify_stop, self.history.desk, hold)
