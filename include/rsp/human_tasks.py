"""What a human task in Airflow is called and which options it offers, so that both sides agree.

The chosen option carries the digest of what was shown, so an answer given to one packet says
nothing about another. A leaf module: DAG files import it while they are parsed.
"""

from __future__ import annotations

from include.rsp.vocabulary import Choice, Impression, View

OPINION, DETERMINATION = "opinion", "determination"
RECEIPT, DELETION = "receipt", "deletion_answer"
REVIEW = "transcript_review"
SAFEGUARDS = "safeguards_approval"
TASKS = {
    OPINION: "give_opinion_as_second_line",  # whatever the policy calls that office
    DETERMINATION: "sign_off_as_{}",
    RECEIPT: "confirm_receipt_as_{}",
    DELETION: "answer_on_deletion_as_{}",
    SAFEGUARDS: "approve_safeguards_as_{}",
    REVIEW: "review_transcripts",  # mapped: one question for each run that has to be read
}
WORDS: dict[str, dict[str, str]] = {
    OPINION: {
        View.AGREE: "Agree",
        View.DISAGREE: "Disagree",
        View.NEED_MORE: "Need more",
    },
    DETERMINATION: {
        Choice.ACCEPT: "Accept the recommendation",
        Choice.STRICTER: "Stricter: nothing goes on",
        Choice.BELOW: "Below the recommendation",
    },
    RECEIPT: {
        "received": "I was told",
        "approved": "Approve",
        "rejected": "Reject",
    },
    DELETION: {"keep": "Keep the weights", "delete": "Delete the weights"},
    SAFEGUARDS: {"approve": "Approve the safeguards", "reject": "Reject: they do not hold"},
    REVIEW: {
        Impression.NOTHING: "Nothing suspicious",
        Impression.CHEATING: "Cheating",
        Impression.SANDBAGGING: "Sandbagging",
    },
}
SHOWN_DIGITS = 16
ASKING = ("assess_checkpoint", "release_hold", "permit_deployment", "verify_safeguards")
"""The DAGs that ask people. An answer in any other was given to a question of somebody else's."""
SECOND_LINE = "second-line"
SIGNERS = ("rso", "ceo", "governance-function")
"""The offices whose sign-off has a task, in the order in which they can be asked."""
TOLD = ("sag", "board", "ltbt")
DELETERS = ("ciso", "ceo", "rso")


def task_for(kind: str, office: str) -> str:
    """The task in which an office gives an answer of that kind."""
    return TASKS[kind].format(office.replace("-", "_"))


def option_for(kind: str, choice: str, about: str) -> str:
    """The option that stands for a choice about the record of that digest."""
    digits = about.removeprefix("sha256:")[:SHOWN_DIGITS]
    return f"{WORDS[kind][choice]} ({digits})"


def options_for(kind: str, about: str) -> list[str]:
    """All options of a task, the default of none of them."""
    return [option_for(kind, choice, about) for choice in WORDS[kind]]


def choice_of(kind: str, option: str, about: str) -> str | None:
    """The choice that an option stands for; None: it is none about this record."""
    for choice in WORDS[kind]:
        if option_for(kind, choice, about) == option:
            return choice
    return None
