"""A receiver that applies inventories knows what is held, whatever gets lost on the way."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from control.wire import succession
from oca.beacon.holdings import Holdings
from oca.store.books import GONE_KEPT, Books
from oca.store.layout import RenditionKey

keys = st.sampled_from([RenditionKey("film", f"v{number}") for number in range(4)])


class Telling(RuleBasedStateMachine):
    """Books that change, a receiver that may miss a message, miss our hearing of it, or start anew."""

    def __init__(self):
        super().__init__()
        self.books, self.holdings = Books(), Holdings(appliance="a1", epoch=5.0)
        self.kept, self.known = None, {}

    @rule(key=keys, position=st.integers(0, 9))
    def add(self, key, position):
        self.books.open(key, index_bytes=10, index_xxh3="0" * 32, objects_total=10)
        self.books.place(key, "d1")
        self.books.add(key, "d1", position, 100)

    @rule(key=keys, position=st.integers(0, 9))
    def drop(self, key, position):
        self.books.drop(key, "d1", position, 100)

    @rule(key=keys)
    def remove(self, key):
        self.books.remove(key, "d1")

    @rule(arrives=st.booleans(), heard=st.booleans())
    def tell(self, arrives, heard):
        inventory, change = self.holdings.next(self.books)
        verdict = self._receive(inventory) if arrives else None
        if arrives and heard and verdict != "gap":
            self.holdings.taken(change)
        else:
            self.holdings.doubtful()

    @rule()
    def receiver_starts_anew(self):
        self.kept, self.known = None, {}

    @invariant()
    def in_the_end_it_knows(self):
        """Telling it twice brings a receiver up to date that asks for all when it lacks some, or has started anew."""
        holdings, kept, known = self.holdings, self.kept, dict(self.known)
        state = (holdings._sequence, holdings._told)
        for _ in range(2):
            inventory, change = holdings.next(self.books)
            if self._receive(inventory) == "gap":
                holdings.doubtful()
            else:
                holdings.taken(change)
        assert self.known == {entry.key: entry.bitmap for entry in self.books if entry.objects_held}
        (holdings._sequence, holdings._told), self.kept, self.known = state, kept, known

    def _receive(self, inventory):
        verdict = succession(self.kept, inventory)
        if verdict == "take":
            self.kept = (inventory.epoch, inventory.sequence)
            if inventory.full:
                self.known = {}
            for row in inventory.held:
                self.known[row.title, row.rendition] = row.bitmap
            for key in inventory.gone:
                self.known.pop(tuple(key), None)
        return verdict


TestTelling = Telling.TestCase
TestTelling.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_who_is_too_far_behind_is_told_everything():
    books, holdings = Books(), Holdings(appliance="a1", epoch=5.0)
    first, change = holdings.next(books)
    assert first.full
    holdings.taken(change)
    for number in range(GONE_KEPT + 1):
        key = RenditionKey("film", f"v{number}")
        books.open(key, index_bytes=10, index_xxh3="0" * 32, objects_total=10)
        books.place(key, "d1")
        books.remove(key, "d1")
    assert holdings.next(books)[0].full
