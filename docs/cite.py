"""Write .zenodo.json and codemeta.json from CITATION.cff, the one place where this software is described.

    python docs/cite.py

A test compares the files with what this writes, so run it whenever CITATION.cff changes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent

Record = dict[str, Any]


def full_name(person: Record) -> str:
    """Return a person as "Family, Given", or the name of a group."""
    given = person.get("given-names")
    return f"{person['family-names']}, {given}" if given else person.get("name") or person["family-names"]


def reference(item: Record) -> str:
    """Return a reference as one line of text."""
    authors = "; ".join(full_name(person) for person in item["authors"])
    where = item.get("journal") or item.get("institution", {}).get("name", "")
    place = " ".join(str(item[key]) for key in ("volume", "start") if key in item)
    doi = f"doi:{item['doi']}" if "doi" in item else ""
    parts = [f"{authors} ({item['year']})", item["title"].strip(), f"{where} {place}".strip(), doi]
    return ". ".join(part for part in parts if part)


def zenodo(cff: Record) -> Record:
    """Return the metadata that Zenodo reads when a release is deposited there."""
    kinds = {"data": "dataset", "article": "publication-article"}
    return {
        "title": cff["title"],
        "description": cff["abstract"].strip(),
        "upload_type": "software",
        "access_right": "open",
        "license": cff["license"],
        "version": str(cff["version"]),
        "language": "eng",
        "creators": [
            {
                "name": full_name(person),
                **{key: person[key] for key in ("affiliation", "orcid") if key in person},
            }
            for person in cff["authors"]
        ],
        "keywords": cff["keywords"],
        "references": [reference(item) for item in cff["references"]],
        "related_identifiers": [
            {"identifier": item["doi"], "relation": "cites", "resource_type": kinds[item["type"]]}
            for item in cff["references"]
            if "doi" in item
        ],
    }


def codemeta(cff: Record) -> Record:
    """Return the description of the software in the vocabulary of CodeMeta."""

    def author(person: Record) -> Record:
        if "name" in person:
            return {"@type": "Organization", "name": person["name"]}
        names = {"familyName": person["family-names"], "givenName": person.get("given-names")}
        return {"@type": "Person", **{key: value for key, value in names.items() if value}}

    def work(item: Record) -> Record:
        kind = {"data": "Dataset", "report": "Report"}.get(item["type"], "ScholarlyArticle")
        found = {
            "@type": kind,
            "name": item["title"].strip(),
            "author": [author(person) for person in item["authors"]],
            "datePublished": str(item["year"]),
        }
        return found | ({"@id": f"https://doi.org/{item['doi']}"} if "doi" in item else {})

    return {
        "@context": "https://doi.org/10.5063/schema/codemeta-2.0",
        "@type": "SoftwareSourceCode",
        "name": cff["title"],
        "description": cff["abstract"].strip(),
        "version": str(cff["version"]),
        "license": f"https://spdx.org/licenses/{cff['license']}",
        **({"codeRepository": cff["repository-code"]} if "repository-code" in cff else {}),
        **({"identifier": f"https://doi.org/{cff['doi']}"} if "doi" in cff else {}),
        "author": [author(person) for person in cff["authors"]],
        "keywords": cff["keywords"],
        "programmingLanguage": "Python",
        "operatingSystem": ["Linux", "macOS", "Windows"],
        "referencePublication": [work(item) for item in cff["references"] if item["type"] != "data"],
        "isBasedOn": [work(item) for item in cff["references"] if item["type"] == "data"],
    }


def derived() -> dict[Path, str]:
    """Return the files that follow from CITATION.cff, and their contents."""
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    made = {".zenodo.json": zenodo(cff), "codemeta.json": codemeta(cff)}
    return {ROOT / name: json.dumps(what, indent=2, ensure_ascii=False) + "\n" for name, what in made.items()}


if __name__ == "__main__":
    for path, text in derived().items():
        path.write_text(text, "utf-8")
