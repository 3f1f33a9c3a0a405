"""Node-RED as somebody would set it up: MQTT in, a function that writes each signal, MQTT out.

The same messages, the same table and the same commit a message as `benchmarks.ingest.plain`; node-postgres with its
pool of ten connections and a prepared statement. `make setup-node-red` brings both.
"""

import json
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

PREFIX: Final = "nodered"
_HOME: Final = Path(__file__).parents[2] / ".cache/node-red"
_SETTINGS: Final = """
const { Pool } = require(%(pg)s);
module.exports = {
  httpAdminRoot: false, httpNodeRoot: false, credentialSecret: false, flowFile: "flows.json",
  telemetry: { enabled: false }, logging: { console: { level: "warn" } },
  functionGlobalContext: { pool: new Pool({ connectionString: process.env.SOJOURN_DATABASE_URL }) },
};
"""
_WRITE: Final = """
const text = "insert into plain_signal (ts, store, edge, anchor, device, rssi)"
    + " values (to_timestamp($1), $2, $3, $4, $5, $6)";
const [, , store, edge] = msg.topic.split("/");
const client = await global.get("pool").connect();
try {
    await client.query("begin");
    for (const row of msg.payload) {
        const values = [row.ts, store, edge, row.anchor, row.device, row.rssi];
        await client.query({ name: "insert", text, values });
    }
    await client.query("commit");
} finally {
    client.release();
}
const done = (context.get("done") || 0) + 1;
context.set("done", done);
return { payload: String(done) };
"""


def missing() -> str:
    """Why it cannot be measured here; empty where it can."""
    if shutil.which("node") is None:
        return "node is not on this machine"
    if not (_HOME / "node_modules/node-red/red.js").exists():
        return "Node-RED is not installed: `make setup-node-red`"
    return ""


def command(folder: Path, mqtt_url: str) -> list[str]:
    """Write settings and flow into a folder; return what starts them; SOJOURN_DATABASE_URL is to be set."""
    folder.mkdir()
    where = urlsplit(mqtt_url)
    modules = _HOME / "node_modules"
    (folder / "settings.js").write_text(_SETTINGS % {"pg": json.dumps(str(modules / "pg"))})
    (folder / "flows.json").write_text(json.dumps(_flow(str(where.hostname), where.port or 1883)))
    user, secret = unquote(where.username or ""), unquote(where.password or "")
    (folder / "flows_cred.json").write_text(json.dumps({"broker": {"user": user, "password": secret}}))
    return [
        "node",
        str(modules / "node-red/red.js"),
        "--userDir",
        str(folder),
        "--settings",
        str(folder / "settings.js"),
    ]


def _flow(host: str, port: int) -> list[dict[str, object]]:
    of_tab = {"z": "tab", "x": 0, "y": 0}
    out = {"topic": f"{PREFIX}/done", "qos": "0", "broker": "broker"}
    return [
        {"id": "tab", "type": "tab", "label": "signals"},
        {
            "id": "broker", "type": "mqtt-broker", "broker": host, "port": str(port), "clientid": PREFIX,
            "autoConnect": True, "usetls": False, "protocolVersion": "5", "keepalive": "60", "cleansession": True,
        },
        {
            "id": "in", "type": "mqtt in", "topic": f"{PREFIX}/signals/#", "qos": "1", "datatype": "json",
            "broker": "broker", "inputs": 0, "wires": [["write"]], **of_tab,
        },
        {"id": "write", "type": "function", "func": _WRITE, "outputs": 1, "wires": [["out"]], **of_tab},
        {"id": "out", "type": "mqtt out", "retain": "false", "wires": [], **out, **of_tab},
        # what is published before anybody subscribes is lost: the sender waits for this
        {
            "id": "ready", "type": "inject", "props": [{"p": "payload"}], "payload": "0", "payloadType": "str",
            "once": True, "onceDelay": "3", "repeat": "", "wires": [["begin"]], **of_tab,
        },
        {"id": "begin", "type": "mqtt out", "retain": "true", "wires": [], **out, **of_tab},
    ]  # fmt: skip
