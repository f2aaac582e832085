#!/usr/bin/env python3
"""Writes what is shipped beside the program: its bill of materials and the notices of what it contains.

    deploy/release_files.py FOLDER

okuo.cdx.json is a CycloneDX 1.5 document of all crates that are linked into the program, with their checksums and licences.
THIRD-PARTY-NOTICES.txt has the licence texts and notices that these crates carry, each text once. Both depend on Cargo.lock alone.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

# How files are called that say what one may do with a crate.
LICENCE_FILE = re.compile(r"^(licen[sc]e|copying|copyright|notice|unlicense|patents)([-._].*)?$", re.IGNORECASE)


def host() -> str:
    told = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in told.splitlines() if line.startswith("host: "))


def metadata() -> dict:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--features", "lambda", "--filter-platform", host()]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def linked(data: dict) -> dict[str, list[str]]:
    """The packages that become part of the program, each with those that it uses. What only builds or tests it is not among them."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    macros = {
        package["id"]
        for package in data["packages"]
        if any("proc-macro" in target["kind"] for target in package["targets"])
    }
    used: dict[str, list[str]] = {}
    waiting = [data["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package in used:
            continue
        used[package] = sorted(
            dependency["pkg"]
            for dependency in nodes[package]["deps"]
            if dependency["pkg"] not in macros and any(kind["kind"] is None for kind in dependency["dep_kinds"])
        )
        waiting.extend(used[package])
    return used


def purl(package: dict) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def checksums() -> dict[tuple[str, str], str]:
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())
    return {(package["name"], package["version"]): package["checksum"] for package in lock["package"] if "checksum" in package}


def component(package: dict, known: dict[tuple[str, str], str]) -> dict:
    described = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
        # Crates of former years write MIT/Apache-2.0 for what SPDX calls MIT OR Apache-2.0.
        "licenses": [{"expression": package["license"].replace("/", " OR ")}],
    }
    checksum = known.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return described


def bill_of_materials(packages: dict[str, dict], used: dict[str, list[str]], root: str) -> dict:
    known = checksums()
    parts = sorted((package for package in used if package != root), key=lambda package: purl(packages[package]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**component(packages[root], known), "type": "application"}},
        "components": [component(packages[package], known) for package in parts],
        "dependencies": [
            {"ref": purl(packages[package]), "dependsOn": sorted({purl(packages[other]) for other in used[package]})}
            for package in [root, *parts]
        ],
    }


def texts(package: dict) -> list[str]:
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(file for file in folder.iterdir() if file.is_file() and LICENCE_FILE.match(file.name))
    if package["license_file"] and folder / package["license_file"] not in files:
        files.append(folder / package["license_file"])
    return [file.read_text(errors="replace").replace("\r\n", "\n").strip() for file in files]


def notices(packages: list[dict]) -> str:
    of_text: dict[str, list[str]] = {}
    lines = ["okuo contains these crates, each under the licence that is named:", ""]
    for package in packages:
        name = f"{package['name']} {package['version']}"
        found = texts(package)
        authors = ", ".join(re.sub(r" *<[^>]*>", "", author) for author in package["authors"])
        without = "" if found else f" (the crate carries no text of it; by {authors or 'its authors'}, {package['repository']})"
        lines.append(f"  {name}: {package['license'] or 'see its text'}{without}")
        for text in found:
            of_text.setdefault(text, []).append(name)
    for text, names in of_text.items():
        lines += ["", "=" * 80, "", ", ".join(names) + ":", "", text]
    return "\n".join(lines) + "\n"


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    data = metadata()
    packages = {package["id"]: package for package in data["packages"]}
    root, used = data["resolve"]["root"], linked(data)
    unlicensed = [packages[package]["name"] for package in used if not packages[package]["license"]]
    if unlicensed:
        sys.exit(f"no licence is named by {', '.join(sorted(unlicensed))}: look at them before okuo is shipped with them")
    bill = bill_of_materials(packages, used, root)
    (folder / "okuo.cdx.json").write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n")
    parts = sorted((packages[package] for package in used if package != root), key=purl)
    (folder / "THIRD-PARTY-NOTICES.txt").write_text(notices(parts))
    print(f"{len(parts)} crates in okuo.cdx.json and THIRD-PARTY-NOTICES.txt")


if __name__ == "__main__":
    main()
