// Decisions as a file: a download, one that the browser keeps in step, and one that is read back.

const file = { handle: null, title: "", busy: null, again: false, trouble: "" };

function fileName() {
  const who = log.name.replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+|-+$/g, "");
  return `decisions${who ? `-${who}` : ""}.jsonl`;
}

function download() {
  const lines = [...log.entries.keys()];
  const address = URL.createObjectURL(new Blob([wholeFile()], { type: "application/x-ndjson" }));
  el("a", { href: address, download: fileName() }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  markWritten(lines);
  tell(`${plural(lines.length, "line")} downloaded as ${fileName()}`);
  show();
}

// Chooses a file that is written again with each decision; without such a thing, a download.
async function saveInStep() {
  if (!window.showSaveFilePicker) return download();
  try {
    const handle = await window.showSaveFilePicker({
      suggestedName: fileName(),
      types: [{ description: "Decisions", accept: { "application/x-ndjson": [".jsonl"] } }],
    });
    // What stands in it already is not lost.
    const problems = takeLines(await (await handle.getFile()).text()).problems;
    if (problems.length) throw new Error(`${handle.name} is left as it is: ${problems[0]}`);
    Object.assign(file, { handle, title: handle.name, trouble: "" });
    await inStep();
    tell(`every decision is written to ${handle.name}`);
  } catch (error) {
    if (error.name !== "AbortError") tell(`not saved: ${error.message}; D downloads a file`);
  }
  return show();
}

// Writes the file; what is decided meanwhile is written right after.
async function inStep() {
  if (!file.handle) return;
  file.again = true;
  file.busy ??= (async () => {
    try {
      while (file.again) {
        file.again = false;
        const lines = [...log.entries.keys()];
        const stream = await file.handle.createWritable();
        await stream.write(wholeFile());
        await stream.close();
        markWritten(lines);
        file.trouble = "";
      }
    } catch (error) {
      file.trouble = error.message || error.name;
    }
    file.busy = null;
    show();
  })();
  await file.busy;
}

// Takes the decisions of a file; the lines that are none are told.
function takeLines(text) {
  const problems = [];
  let taken = 0;
  text.replace(/^\ufeff/, "").split("\n").forEach((line, place) => {
    if (!line.trim()) return;
    try {
      taken += take(decisionOn(line), { written: true });
    } catch (error) {
      problems.push(`line ${place + 1} is no decision: ${error.message}`);
    }
  });
  return { taken, problems };
}

async function openFile(chosen) {
  const { taken, problems } = takeLines(await chosen.text());
  if (file.handle) await inStep();
  tell([`${plural(taken, "decision")} taken from ${chosen.name}`, ...problems].join("; "));
  toUndecided(0);
}

const unsaved = () =>
  [...log.entries.values()].some((one) => one.decision.by === log.name && !one.written);
