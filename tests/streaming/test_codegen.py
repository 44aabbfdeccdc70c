"""The page's half of the protocol is the one that this checkout's messages make."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from streaming.codegen import BUDGETS_TARGET, TARGET, camel, generate, generate_budgets
from streaming.messages import CLIENT_MESSAGES, SERVER_MESSAGES, encode, tree_of
from tests.streaming.opaque_asset import opaque_asset
from tests.streaming.test_messages import CLIENT_BYTES, SERVER_BYTES

VIEWER = TARGET.parents[2]


def test_the_committed_typescript_is_what_codegen_makes() -> None:
    assert TARGET.read_text(encoding="utf-8") == generate(), "run `python -m streaming.codegen`"


def test_the_page_draws_what_the_table_of_devices_says() -> None:
    text = BUDGETS_TARGET.read_text(encoding="utf-8")

    assert text == generate_budgets(), "run `python -m streaming.codegen`"
    assert text.count("maxSplats: ") == 5  # the interface and four devices
    assert "glasses" not in text and "maxFileBytes" not in text


def test_every_message_has_an_interface_and_a_case() -> None:
    text = generate()
    for message in (*CLIENT_MESSAGES, *SERVER_MESSAGES):
        assert f"export interface {message.__name__}Message {{" in text
    for message in CLIENT_MESSAGES:
        assert f'case "{camel(message.__name__)}": {{' in text


_SCRIPT = """
import { decodeServerMessage, encodeClientMessage } from "./generated.mjs";
import { readFileSync } from "node:fs";
const { client, server } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const plain = (value) => ArrayBuffer.isView(value) ? [...value] : value;
const sent = client.map((message) => {
  for (const name of ["have", "hands"]) if (name in message) message[name] = Uint8Array.from(message[name]);
  for (const name of ["chunks"]) if (name in message) message[name] = Uint32Array.from(message[name]);
  return Buffer.from(encodeClientMessage(message)).toString("hex");
});
const read = server.map((hex) => {
  const message = decodeServerMessage(Uint8Array.from(Buffer.from(hex, "hex")).buffer);
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, plain(value)]));
});
const refused = ["", "12000000ff", "13", "1400"].map((hex) => {
  try { decodeServerMessage(Uint8Array.from(Buffer.from(hex, "hex")).buffer); return "accepted"; }
  catch (error) { return error.name; }
});
const unknown = decodeServerMessage(Uint8Array.of(0x7f).buffer) ?? null;
console.log(JSON.stringify({ sent, read, refused, unknown }));
"""


def test_both_languages_agree_on_every_byte(tmp_path: Path) -> None:
    compiler = VIEWER / "node_modules" / ".bin" / "tsc"
    if shutil.which("node") is None or not compiler.exists():
        pytest.skip("the page's compiler is not installed; `make setup` does it")
    language = [
        "--ignoreConfig",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "es2022",
        "--lib",
        "es2023,dom",
    ]
    compile_it = [compiler, TARGET, *language, "--outDir", tmp_path]
    subprocess.run(compile_it, check=True, capture_output=True, timeout=120)
    (tmp_path / "generated.js").rename(tmp_path / "generated.mjs")
    (tmp_path / "run.mjs").write_text(_SCRIPT)
    client = [_as_typescript(message) for message, _ in CLIENT_BYTES]
    tree = encode(tree_of(opaque_asset()))
    server = [data.hex() for _, data in SERVER_BYTES] + [tree.hex()]
    (tmp_path / "cases.json").write_text(json.dumps({"client": client, "server": server}))

    done = subprocess.run(
        ["node", "run.mjs", "cases.json"], cwd=tmp_path, check=True, capture_output=True, timeout=60
    )

    result = json.loads(done.stdout)
    assert result["sent"] == [data.hex() for _, data in CLIENT_BYTES]
    assert result["refused"] == ["ProtocolError"] * 4
    assert result["unknown"] is None
    for got, (message, _) in zip(result["read"], SERVER_BYTES, strict=False):
        assert got == _as_typescript(message)
    asset, table = opaque_asset(), result["read"][-1]
    assert table["count"] == len(asset.chunks)
    assert table["parent"] == [chunk.parent for chunk in asset.chunks]
    assert table["center"] == [axis for chunk in asset.chunks for axis in chunk.center]
    assert table["byteLength"] == [chunk.byte_length for chunk in asset.chunks]
    assert bytes(table["hash"]) == b"".join(bytes.fromhex(c.sha256)[:16] for c in asset.chunks)


def _as_typescript(message: object) -> dict[str, object]:
    values: dict[str, object] = {"type": camel(type(message).__name__)}
    for item in fields(message):  # type: ignore[arg-type]
        name, value = item.name, getattr(message, item.name)
        if isinstance(value, bytes):
            value = list(value)
        elif isinstance(value, tuple):
            is_prefixes = any(isinstance(item, bytes) for item in value)
            value = [byte for item in value for byte in item] if is_prefixes else list(value)
        values[camel(name)] = value
    return values
