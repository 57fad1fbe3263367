"""Writes promptfoo's configuration; it takes images as base64 in variables."""

import base64
import csv
import json
from pathlib import Path

prompt = Path("prompt.txt").read_text("utf-8")
with Path("cases.csv").open(encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
message = {"role": "user", "content": prompt, "images": ["{{image}}"]}
Path("promptfoo_prompt.json").write_text(json.dumps([message]), "utf-8")
config = {
    "prompts": ["file://promptfoo_prompt.json"],
    "providers": [{"id": "ollama:chat:llava:7b", "config": {"temperature": 0}}],
    "tests": [
        {
            "vars": {"image": base64.b64encode(Path(row["path"]).read_bytes()).decode()},
            "assert": [{"type": "equals", "value": row["label"]}],
        }
        for row in rows
    ],
}
Path("promptfooconfig.json").write_text(json.dumps(config), "utf-8")
