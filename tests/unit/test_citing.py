"""How to cite: one description of the software, what follows from it, and the references of the package."""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from typing import Any

import jsonschema
import pytest
from samples import ROOT

import radiosynth

TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "minItems": 1, "items": TEXT}

# The part of Zenodo's deposit metadata that we use: its own field names and controlled words.
ZENODO = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("title", "description", "version"), TEXT),
        "upload_type": {"const": "software"},
        "access_right": {"enum": ["open", "embargoed", "restricted", "closed"]},
        "license": {"enum": ["MIT"]},
        "language": {"type": "string", "pattern": "^[a-z]{3}$"},
        "keywords": TEXTS,
        "references": TEXTS,
        "creators": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "name": TEXT,
                    "affiliation": TEXT,
                    "orcid": {"type": "string", "pattern": r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$"},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "related_identifiers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "identifier": {"type": "string", "pattern": r"^10\.\d{4,9}/\S+$"},
                    "relation": {"enum": ["cites", "references", "isDerivedFrom", "isSupplementTo"]},
                    "resource_type": {"enum": ["dataset", "publication-article", "publication-report"]},
                },
                "required": ["identifier", "relation"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["title", "description", "upload_type", "creators", "license"],
    "additionalProperties": False,
}

AGENT = {
    "type": "object",
    "properties": {"@type": {"enum": ["Person", "Organization"]}},
    "anyOf": [{"required": ["@type", "name"]}, {"required": ["@type", "familyName"]}],
}
WORKS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "@id": {"type": "string", "pattern": r"^https://doi\.org/10\."},
            "@type": {"enum": ["ScholarlyArticle", "Report", "Dataset"]},
            "name": TEXT,
            "author": {"type": "array", "minItems": 1, "items": AGENT},
            "datePublished": {"type": "string", "pattern": r"^\d{4}$"},
        },
        "required": ["@type", "name", "author"],
        "additionalProperties": False,
    },
}
# The terms of CodeMeta 2.0 that we use.
CODEMETA = {
    "type": "object",
    "properties": {
        "@context": {"const": "https://doi.org/10.5063/schema/codemeta-2.0"},
        "@type": {"const": "SoftwareSourceCode"},
        **dict.fromkeys(("name", "description", "version", "programmingLanguage"), TEXT),
        **dict.fromkeys(("codeRepository", "identifier"), TEXT),
        "license": {"type": "string", "pattern": r"^https://spdx\.org/licenses/[\w.-]+$"},
        "author": {"type": "array", "minItems": 1, "items": AGENT},
        **dict.fromkeys(("keywords", "operatingSystem"), TEXTS),
        **dict.fromkeys(("referencePublication", "isBasedOn"), WORKS),
    },
    "required": ["@context", "@type", "name", "author", "license"],
    "additionalProperties": False,
}
SCHEMAS = {".zenodo.json": ZENODO, "codemeta.json": CODEMETA}


def stored(name: str) -> dict[str, Any]:
    return json.loads((ROOT / name).read_text("utf-8"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files_follow_from_the_citation_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.delitem(sys.modules, "cite", raising=False)
    assert import_module("cite").derived()[ROOT / name] == (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files_are_valid(name: str) -> None:
    jsonschema.validate(stored(name), SCHEMAS[name])


@pytest.mark.parametrize(("name", "key"), [(".zenodo.json", "creators"), ("codemeta.json", "author")])
def test_the_checks_can_fail(name: str, key: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(stored(name) | {key: []}, SCHEMAS[name])


def test_both_name_data_and_report() -> None:
    for name in SCHEMAS:
        text = (ROOT / name).read_text("utf-8")
        assert "10.5281/zenodo.7689127" in text
        assert "Morrison" in text
        assert stored(name)["version"] == radiosynth.__version__
    assert f"version = {{{radiosynth.__version__}}}" in radiosynth.citations("software")


def test_the_page_shows_every_entry_of_the_bibliography() -> None:
    """What the page shows by the names of `citations` is all that `citations` prints."""
    page = (ROOT / "docs" / "howto" / "citing.rst").read_text("utf-8")
    names = re.findall(r"\.\. citation-entry:: (\S+)", page)
    keys = re.compile(r"^@\w+\{(\w+),", re.MULTILINE)
    assert sorted(keys.findall(radiosynth.citations(*names))) == sorted(keys.findall(radiosynth.citations()))
