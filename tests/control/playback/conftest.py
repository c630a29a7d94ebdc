"""Strategies for titles and pathways."""

import pytest
from hypothesis import strategies as st


@pytest.fixture(scope="session")
def strategies(publish, appliance, origin_pathway):
    """`titles`: titles with true indexes; `pathways`: appliances in any order, the origin last."""

    class Strategies:
        rungs = st.lists(
            st.tuples(st.integers(2, 4000), st.integers(2, 2200), st.integers(10_000, 20_000_000)),
            max_size=5,
            unique_by=lambda rung: rung[2],
        )
        sounds = st.lists(
            st.tuples(st.sampled_from(["en", "fr", "pt-BR", "und"]), st.sampled_from([64_000, 96_000, 128_000])),
            max_size=6,
            unique=True,
        )
        titles = (
            st.tuples(rungs, sounds)
            .filter(any)
            .flatmap(
                lambda both: st.builds(
                    publish,
                    st.sampled_from(["bunny", "a.b-c_D9"]),
                    videos=st.just(tuple(both[0])),
                    audios=st.just(tuple(both[1])),
                    segments=st.integers(1, 20),
                    frame_rate=st.sampled_from([12.5, 23.976, 24.0, 25.0, 29.97, 59.94, 60.0]),
                )
            )
        )
        pathways = st.lists(
            st.from_regex(r"\A[a-z][a-z0-9._-]{0,8}\Z").filter(lambda name: name != "origin"), max_size=4, unique=True
        ).map(lambda names: (*(appliance(name, f"http://{name}.test:8311/base/") for name in names), origin_pathway))

    return Strategies
