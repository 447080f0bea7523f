"""docs/crypto.md is what the code uses, file by file, and its examples run."""

import re
from functools import lru_cache
from pathlib import Path

import gmssl_pyx
import pytest

from qingfang.crypto import Sm2Verifier, sm2

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "qingfang"
PAGE = (ROOT / "docs" / "crypto.md").read_text(encoding="utf-8")

LIBRARIES = {
    *("hashlib", "hmac", "secrets", "ssl", "cryptography", "argon2", "gmssl_pyx", "_hashlib"),
    *("django.core.signing", "django.utils.crypto", "qingfang.crypto"),
}
# Said in the code, and what the page calls it.
ALGORITHMS = {
    r"\bhashlib\.sha256\b|\bsha256\(": "SHA-256",
    r"\bhashlib\.blake2b\b": "BLAKE2b",
    r"\bhashlib\.(sha1|md5)\b": "-",
    r"\bsm3\(": "SM3",
    r"\bhmac\.new\b": "HMAC-SHA-256",
    r"\bTOTP\(": "HMAC-SHA-1",
    r"\bssl\.|\bsmtplib\.": "TLS",
    r"\bsecrets\.(token|rand|choice)|\burandom\(": "系统随机数",
    r"\bcreate_key\(|\bEd25519Signer\b": "Ed25519",
    r"\bload_public\(": "验签",
}


IMPORT = re.compile(
    r"^\s*(?:import|from)\s+([\w.]+)(?:[ ]+import[ ]+\(?([\w, ]*))?", re.MULTILINE | re.ASCII
)


def imported(text: str) -> set[str]:
    found = {
        name
        for module, names in IMPORT.findall(text)
        for name in (
            module,
            *(f"{module}.{one.split()[0]}" for one in names.split(",") if one.strip()),
        )
    }
    return {
        library
        for library in LIBRARIES
        if any(f"{name}.".startswith(f"{library}.") for name in found)
    }


@lru_cache
def using() -> dict[str, str]:
    """The text of every file that reaches for cryptography, but those of `crypto/` that only pass
    it on."""
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(SOURCE.rglob("*.py"))}
    return {
        str(file.relative_to(SOURCE)): text
        for file, text in texts.items()
        if "urandom(" in text
        or "Argon2" in text
        or imported(text) - ({"qingfang.crypto"} if file.parent.name == "crypto" else set())
    }


@pytest.mark.parametrize(
    "line",
    [
        "import hashlib",
        "    from cryptography.hazmat.primitives import hashes",
        "from qingfang import crypto, ipc",
        "from qingfang import ipc, crypto as c",
        "from qingfang.crypto import (",
        "from django.utils.crypto import salted_hmac",
        "from django.core import signing",
    ],
)
def test_an_import_is_noticed(line: str) -> None:
    assert imported(f"import os\n{line}\n")
    assert not imported("import os\nfrom qingfang import ipc\n# import hashlib\n")


def rows() -> dict[str, str]:
    """File -> what the page says it uses."""
    section = PAGE.split("## 用在哪里")[1].split("\n## ")[0]
    return {
        name: cells[2]
        for line in section.splitlines()
        if len(cells := line.split("|")) == 5
        for name in re.findall(r"`([\w/]+\.py)`", cells[1])
    }


def test_the_page_names_every_file_that_uses_cryptography_and_no_other() -> None:
    assert len(using()) > 30
    assert set(rows()) == set(using())


@pytest.mark.parametrize("name", [name for name in sorted(using()) if not name.startswith("cry")])
def test_the_page_names_what_the_file_uses(name: str) -> None:
    text, said = using()[name], rows()[name]
    for pattern, algorithm in ALGORITHMS.items():
        if re.search(pattern, text):
            assert algorithm in said


def test_every_algorithm_of_the_page_has_its_standard_and_length() -> None:
    section = PAGE.split("## 算法")[1].split("\n## ")[0]
    table = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("|")][2:]
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in table)
    named = "".join(row[0] for row in table)
    said = "".join(rows().values())
    for algorithm in ("SM2", "SM3", "SM4-GCM", "SM4-CBC", "Ed25519", "SHA-256", "BLAKE2b", "TLS"):
        assert algorithm in named
        assert algorithm in said


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_of_key_files(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(blocks()[0], {})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["office.key", "office.pub"]


def test_the_example_of_hardware() -> None:
    """A device that signs 32 bytes makes signatures everybody accepts."""
    space: dict = {"__name__": "example"}
    exec(blocks()[1], space)
    made = sm2.Sm2Signer.generate()
    signer = space["DeviceSigner"](
        made.public, lambda digest: gmssl_pyx.sm2_sign_sm3_digest(made.secret, digest)
    )
    assert Sm2Verifier(made.public).verify(b"a checkpoint", signer.sign(b"a checkpoint"))
    assert not signer.verify(b"another", signer.sign(b"a checkpoint"))
