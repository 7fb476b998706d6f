// Begins: reads what the page was given, then draws. Tables, sections and the manifest stand in
// the HTML already, so that a page can be read without any of this.

const app = { selectionChanged() {} };

function startComparison() {
  const element = document.getElementById("comparison-chart");
  const given = app.content.comparison || [];
  if (!element || given.every((row) => row.difference === 0)) return;
  const rows = given.slice(0, 60);
  chart(element, () => {
    const width = element.clientWidth || 640;
    const point = (row, place) => ({
      type: "scatter", mode: "markers", x: [row.difference], y: [-place],
      marker: { size: 8, color: row.verdict === "undecided" ? colour("faint") : colour("accent") },
      ...(row.low !== null && {
        error_x: {
          type: "data", symmetric: false, array: [row.high - row.difference],
          arrayminus: [row.difference - row.low], thickness: 1.4, width: 3,
          color: row.verdict === "undecided" ? colour("faint") : colour("accent"),
        },
      }),
      hovertemplate: `${escaped(row.name)}<br>${scoreText(row.difference)}` +
        `${row.low === null ? "" : ` [${scoreText(row.low)}, ${scoreText(row.high)}]`}` +
        `<br>${row.n} pairs, ${row.verdict}<extra></extra>`,
    });
    return {
      traces: rows.map(point),
      layout: layout({
        height: 64 + 42 * rows.length,
        margin: { l: 12, r: 14, t: 8, b: 44 },
        annotations: rows.map((row, place) => ({
          x: 0, xref: "paper", xanchor: "left", y: -place, yshift: 15, showarrow: false,
          text: escaped(shortened(row.name, Math.floor(width / 7.2))), font: { size: 12 },
        })),
        shapes: [{
          type: "line", x0: 0, x1: 0, y0: 0, y1: 1, yref: "paper", line: { color: colour("faint"), width: 1 },
        }],
        xaxis: axis("difference of the mean CCC, with its 95% interval"),
        yaxis: { range: [0.6 - rows.length, 0.8], visible: false, fixedrange: true },
      }),
    };
  });
}

function startCopying() {
  for (const block of document.querySelectorAll("pre.command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "selected";
      }
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
    block.append(button);
  }
}

function startPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    printing = true;
    document.documentElement.classList.add("printing");
    closed = [...document.querySelectorAll("details:not(.long):not([open])")];
    closed.forEach((each) => (each.open = true));
    app.table?.render(true);
    if (window.Plotly) redrawAll();
  });
  addEventListener("afterprint", () => {
    printing = false;
    document.documentElement.classList.remove("printing");
    closed.forEach((each) => (each.open = false));
    app.table?.render();
    if (window.Plotly) redrawAll();
  });
}

function startNavigation() {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const sections = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const mark = () => {
    let now = sections[0];
    for (const section of sections) if (section.getBoundingClientRect().top < 140) now = section;
    links.forEach((link, id) => {
      if (id === now?.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
  mark();
}

function defaults() {
  const runs = app.runs;
  const parts = Object.keys(runs.scores);
  if (!parts.includes(state.part)) {
    state.part = parts.includes(app.content.part) ? app.content.part : parts[0] || "test";
  }
  state.selected = state.selected.filter((id) => runs.place.has(id));
  if (state.restored) return;
  const seen = new Set();
  const take = (i) => {
    const name = `${runs.sweep[i]} ${runs.text(i, "name")}`;
    if (seen.size === 4 || seen.has(name)) return;
    seen.add(name);
    state.selected.push(runs.ids[i]);
  };
  for (const { sweep, run } of app.content.picked) take(runs.place.get(runKey(sweep, run)));
  for (let i = 0; i < runs.count; i++) {
    // Of a search the picked trial alone: the others are in no order.
    if (app.content.sweeps[runs.sweep[i]].searched && seen.size) continue;
    if (!runs.baseline[i] && runs.text(i, "status") === "ok") take(i);
  }
}

async function start() {
  restore();
  sortableTables();
  startCopying();
  startNavigation();
  startPrinting();
  document.querySelectorAll("details").forEach((each, i) => {
    if (state.open[i] !== undefined) each.open = state.open[i];
  });
  if (!window.DecompressionStream) {
    document.getElementById("old").hidden = false;
    return;
  }
  const { content, array } = unpacked(await inflated("data"));
  Object.assign(app, { content, array, seen: observeCharts() });
  app.runs = makeRuns(content, array);
  app.curves = makeCurves(content, array);
  defaults();
  state.restored = true;
  const library = document.createElement("script");
  const source = inflated("library");
  startRuns();
  library.textContent = new TextDecoder().decode(await source);
  document.head.append(library);
  startSearches();
  startPredictions();
  startComparison();
  redrawAll();
  if (state.scroll) scrollTo(0, state.scroll);
  addEventListener("pagehide", keep);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    redrawAll();
    app.selectionChanged();
  });
  document.documentElement.dataset.ready = "true";
}

start()
  .catch((error) => {
    document.getElementById("broken").hidden = false;
    console.error(error);
  })
  .finally(watchFile);  // Not before: a slow machine would never come to the end of it.
