"""The chain as a state machine: what may follow what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.chain import ChainRule, ChainState
from evidence_store.errors import ChainError
from evidence_store.records import ZERO_HASH, parse_record, sha256_hex
from evidence_store.verify.film import AnyRecord
from tests.evidence_store.builder import SESSION, build
from tests.evidence_store.chains import START, Chain, make_site

SEALED = build().seal()
DATA = [SEALED.objects[f"sessions/{SESSION}/records/{seq:08d}.json"] for seq in range(len(SEALED.recording.drafts))]


def read(data: bytes) -> AnyRecord:
    return parse_record(data, where="x")


def walk(texts: list[bytes], session: str = SESSION) -> ChainState:
    state = ChainState(session)
    for data in texts:
        record = read(data)
        state = state.extend(record, record.type, data)
    return state


def test_a_whole_chain_ends_closed() -> None:
    state = walk(DATA)
    assert state == ChainState(SESSION, len(DATA), sha256_hex(DATA[-1]), closed=True)


@given(st.permutations(range(len(DATA))))
def test_only_one_order_is_a_chain(order: list[int]) -> None:
    texts = [DATA[position] for position in order]
    if order == sorted(order):
        walk(texts)
    else:
        with pytest.raises(ChainError):
            walk(texts)


@given(st.integers(0, len(DATA) - 2))
def test_no_record_can_be_left_out(position: int) -> None:
    with pytest.raises(ChainError):
        walk(DATA[:position] + DATA[position + 1 :])


@given(st.integers(0, len(DATA) - 1), st.integers(0, len(DATA)))
def test_no_record_can_come_twice(source: int, target: int) -> None:
    with pytest.raises(ChainError):
        walk([*DATA[:target], DATA[source], *DATA[target:]])


def test_nothing_follows_the_close() -> None:
    chain = Chain(make_site().recorder)
    chain.open()
    chain.close(tracks=[])
    state = walk([signed.data for signed in chain.records], chain.session)
    late = chain.mark()
    with pytest.raises(ChainError, match="follows the close"):
        state.extend(read(late.data), "event", late.data)


def test_first_record_is_open_and_names_zeros() -> None:
    chain = Chain(make_site().recorder)
    with pytest.raises(ChainError, match="type event"):
        walk([chain.mark().data], chain.session)
    chain = Chain(make_site().recorder)
    with pytest.raises(ChainError, match="hash of the record before"):
        walk([chain.open(prev="00" * 31 + "01").data], chain.session)
    assert ChainState(chain.session).prev == ZERO_HASH


def test_records_of_another_session_do_not_follow() -> None:
    other = Chain(make_site().recorder, "xindai-room-2-20261123T013000Z-0000", START)
    with pytest.raises(ChainError, match="belongs to session"):
        walk([other.open().data])


def test_every_rule_that_is_broken_is_told() -> None:
    chain = Chain(make_site().recorder, "xindai-room-2-20261123T013000Z-0000")
    record = read(chain.open(seq=7, prev="ab" * 32).data)
    closed = ChainState(SESSION, 3, "cd" * 32, closed=True)
    assert [rule for rule, _ in closed.faults(record, "open")] == list(ChainRule)


def test_the_state_goes_on_after_what_was_broken() -> None:
    state = ChainState(SESSION, 3, "cd" * 32)
    assert state.after("event", "ef" * 32) == ChainState(SESSION, 4, "ef" * 32)
    assert state.after("close", "ef" * 32).after("event", "01" * 32).closed
