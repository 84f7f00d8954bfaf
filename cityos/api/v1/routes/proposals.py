"""Orders that services propose, a person's decisions on them, and the end of an exercise."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Body, Path, Query, Request, Response

from cityos.api import cursors, documents
from cityos.api.strict_route import StrictRoute
from cityos.api.v1 import mapping, wire
from cityos.api.v1.routes.entities import Cursor, Limit
from cityos.api.visit import visit_of
from cityos.domain.alert import Alert
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import ProposalState
from cityos.ports import ApiKey

router = APIRouter(route_class=StrictRoute)

DECIDE: Final = ("official", "admin")

ProposalId = Annotated[str, Path(description="Id of the proposal.", max_length=200)]
Note = Annotated[wire.Decision | None, Body(description="May be left out.")]


@router.get(
    "/v1/proposals",
    operation_id="listProposals",
    tags=["proposals"],
    response_model=wire.Proposals,
)
def list_proposals(
    request: Request,
    state: Annotated[
        ProposalState | None, Query(description="`pending` are those that wait for a decision.")
    ] = None,
    status: Annotated[
        Literal["Actual", "Exercise"] | None, Query(description="Real ones or rehearsals.")
    ] = None,
    reassessable: Annotated[  # noqa: FBT002 - a query parameter has a default
        bool,
        Query(
            description="Only those that `reassess` takes now: the newest decisions on dangers "
            "that stand, without an order and with nothing proposed."
        ),
    ] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List proposals, newest first. For officials."""
    visit = visit_of(request)
    visit.require(*DECIDE)
    before = None
    if cursor is not None:
        last = cursors.read(cursor, cursors.ProposalCursor)
        before = (last.created_at, last.revision, last.id)
    newest = visit.city.orders.proposals(
        visit.tenant.id,
        state=state,
        status=status,
        reassessable_at=visit.city.clock.now() if reassessable else None,
        before=before,
        limit=limit + 1,
    )
    found, next_page = documents.cut(request, newest, limit, mapping.proposal_cursor)
    return documents.page([mapping.proposal(each) for each in found], next_page)


@router.get(
    "/v1/proposals/{proposal_id}",
    operation_id="getProposal",
    tags=["proposals"],
    response_model=wire.Proposal,
)
def get_proposal(request: Request, proposal_id: ProposalId) -> Response:
    """Return one proposal with its evidence. For officials."""
    visit = visit_of(request)
    visit.require(*DECIDE)
    return documents.document(
        mapping.proposal(visit.city.orders.proposal(visit.tenant.id, proposal_id))
    )


@router.post(
    "/v1/proposals/{proposal_id}/approve",
    operation_id="approveProposal",
    tags=["proposals"],
    response_model=wire.Alert,
)
def approve_proposal(request: Request, proposal_id: ProposalId, decision: Note = None) -> Response:
    """Approve a proposal: its alert is issued and goes out by every channel. For officials.

    The answer is the alert. A proposal can be decided once; a second decision is a conflict.
    """
    visit = visit_of(request)
    key = visit.require(*DECIDE)
    city, tenant = visit.city, visit.tenant.id
    alert = city.orders.approve(
        tenant,
        proposal_id,
        issuer=city.issuer_of(tenant),
        by=_by(key),
        note=decision.note if decision else "",
        now=city.clock.now(),
    )
    return _issued(alert)


@router.post(
    "/v1/proposals/{proposal_id}/reject",
    operation_id="rejectProposal",
    tags=["proposals"],
    response_model=wire.Proposal,
)
def reject_proposal(request: Request, proposal_id: ProposalId, decision: Note = None) -> Response:
    """Reject a proposal: nothing is issued, and the decision is kept. For officials.

    An order in force stays in force: `/v1/alerts/{identifier}/cancel` ends it at any time.
    """
    visit = visit_of(request)
    key = visit.require(*DECIDE)
    proposal = visit.city.orders.reject(
        visit.tenant.id,
        proposal_id,
        by=_by(key),
        note=decision.note if decision else "",
        now=visit.city.clock.now(),
    )
    return documents.document(mapping.proposal(proposal))


@router.post(
    "/v1/proposals/{proposal_id}/reassess",
    operation_id="reassessProposal",
    tags=["proposals"],
    response_model=wire.Proposal,
)
def reassess_proposal(
    request: Request, proposal_id: ProposalId, reconsideration: wire.Reconsideration
) -> Response:
    """Take back a rejection, or the end of an order, that was a mistake. For officials.

    Nothing is issued. The rules are asked again with the newest readings and telegrams, at once
    and with each that follows: what still calls for an order is proposed again. The decision stays
    on record, with who took it back and why. Refused while something of the situation waits for a
    decision or is in force, once the danger is over, and a second time.
    """
    visit = visit_of(request)
    key = visit.require(*DECIDE)
    proposal = visit.city.orders.reassess(
        visit.tenant.id,
        proposal_id,
        by=_by(key),
        reason=reconsideration.reason,
        now=visit.city.clock.now(),
    )
    return documents.document(mapping.proposal(proposal))


@router.post(
    "/v1/exercises/{run}/end",
    operation_id="endExercise",
    tags=["proposals"],
    response_model=wire.ExerciseEnd,
)
def end_exercise(
    request: Request,
    run: Annotated[str, Path(description="Name of the exercise.", max_length=64)],
    closing: Annotated[wire.ExerciseClosing | None, Body(description="May be left out.")] = None,
) -> Response:
    """End an exercise: nothing of it waits or is in force any more. For officials.

    Its undecided proposals are superseded and its orders cancelled, by every channel. Other
    exercises and what is real are not touched. It may be asked again, also after it broke off. A
    reading that comes later begins the exercise anew; in a practice city, `practice` goes on.
    """
    visit = visit_of(request)
    key = visit.require(*DECIDE)
    city, tenant = visit.city, visit.tenant.id
    end = city.orders.end_exercise(
        tenant,
        Exercise(run),
        issuer=city.issuer_of(tenant),
        by=_by(key),
        reason=closing.reason if closing else "",
        now=city.clock.now(),
    )
    return documents.document(mapping.exercise_end(end))


@router.post(
    "/v1/alerts/{identifier}/cancel",
    operation_id="cancelAlert",
    tags=["alerts"],
    response_model=wire.Alert,
)
def cancel_alert(
    request: Request,
    identifier: Annotated[str, Path(description="CAP `identifier` of the order.", max_length=300)],
    cancellation: wire.Cancellation,
) -> Response:
    """End an order of this city that is in force, without waiting for a proposal. For officials.

    The answer is the CAP Cancel, which goes out by every channel. An order is ended once: a second
    time is a conflict, for its reason would be lost. Proposals up to the order's level are
    superseded; afterwards only a rise is proposed, or what `reassess` is asked for.
    """
    visit = visit_of(request)
    key = visit.require(*DECIDE)
    city, tenant = visit.city, visit.tenant.id
    alert = city.orders.cancel(
        tenant,
        identifier,
        issuer=city.issuer_of(tenant),
        by=_by(key),
        reason=cancellation.reason,
        now=city.clock.now(),
    )
    return _issued(alert)


def _issued(alert: Alert) -> Response:
    location = f"/v1/alerts/{alert.identifier}"
    return documents.document(mapping.alert(alert), headers={"Location": location})


def _by(key: ApiKey) -> str:
    """Who decided, for the record: the name may be given twice, the id may not."""
    return f"{key.name} ({key.id})"
