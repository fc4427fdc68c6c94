from __future__ import annotations

import pytest

from radiosynth import CLASS_NAMES, CLASSES
from radiosynth.taxonomy import UNLABELLED, class_code


def test_order_is_that_of_the_report() -> None:
    assert CLASS_NAMES == ("FRI", "FRII", "bent", "compact")
    assert [morphology.code for morphology in CLASSES] == [0, 1, 2, 3]
    assert UNLABELLED not in range(len(CLASSES))


def test_every_spelling_is_understood_and_unique() -> None:
    spellings = [(m.code, s) for m in CLASSES for s in (m.name, m.label, *m.aliases)]
    for code, spelling in spellings:
        for variant in (spelling, spelling.upper(), spelling.lower(), f" {spelling} "):
            assert class_code(variant) == code
    owners = {spelling.lower(): code for code, spelling in spellings}
    assert all(owners[spelling.lower()] == code for code, spelling in spellings)


def test_colours_differ() -> None:
    assert len({morphology.colour for morphology in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("name", ["", "FR", "FRIII", "spiral", "0"])
def test_unknown_names_are_refused_with_the_choice(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name!r}: the classes are FRI, FRII, bent, compact"):
        class_code(name)
