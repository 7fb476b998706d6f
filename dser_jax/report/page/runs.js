// Runs: what is filtered, sorted and selected, their curves, and their scores over seeds.

const PANELS = [
  ["mean", "Mean CCC on validation"],
  ["valence", "Valence"],
  ["arousal", "Arousal"],
  ["dominance", "Dominance"],
  ["loss", "Loss: training dashed, validation solid"],
];
const SEED_NAMES = 40;

function startRuns() {
  const root = document.getElementById("runs");
  const table = makeRunTable(root);
  app.table = table;
  const filter = root.querySelector("input[type=search]");
  filter.value = state.filter;
  let wait;
  filter.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => setFilter(filter.value), 80);
  });
  root.querySelector(".clear").addEventListener("click", () => {
    state.selected = [];
    app.selectionChanged();
  });
  startChoices();
  startCurves();
  startSeeds();
  app.selectionChanged = () => {
    table.render();
    legend();
    changed(...document.querySelectorAll("#curves .panel"));
    keep();
  };
  table.update();
  legend();
}

function setFilter(text) {
  state.filter = text;
  document.querySelector("#runs input[type=search]").value = text;
  app.table.update();
  changed(document.getElementById("seeds-chart"));
}

// The same choice of scores stands above the table and above the seeds.
function startChoices() {
  const options = {
    part: Object.keys(app.runs.scores).map((part) => [part, `${part} set`]),
    metric: Object.keys(app.runs.scores[state.part] || {}).map((metric) => [
      metric,
      { ccc: "CCC", ccc_batch32: "CCC, 32-row batches", rmse: "RMSE" }[metric],
    ]),
    column: COLUMNS.map((column) => [column, column]),
  };
  for (const select of document.querySelectorAll("select[data-choice]")) {
    const choice = select.dataset.choice;
    select.replaceChildren(...options[choice].map(([value, text]) => new Option(text, value)));
    select.value = state[choice];
    select.addEventListener("change", () => {
      state[choice] = select.value;
      for (const each of document.querySelectorAll(`select[data-choice=${choice}]`)) {
        each.value = select.value;
      }
      app.table.update();
      changed(document.getElementById("seeds-chart"));
    });
  }
}

function selectedRuns() {
  return state.selected.map((id) => app.runs.place.get(id));
}

function legend() {
  const list = document.querySelector("#curves .legend");
  const chosen = selectedRuns();
  list.replaceChildren(...chosen.map((i, place) => {
    const { color, dash } = lineLook(place);
    const item = document.createElement("li");
    const dashes = { solid: "", dash: "6 3", dot: "2 2", dashdot: "6 2 2 2" }[dash];
    item.innerHTML = `<svg width="26" height="8" aria-hidden="true"><line x1="0" x2="26" y1="4" y2="4"
      stroke="${color}" stroke-width="2.5" stroke-dasharray="${dashes}"/></svg>`;
    const text = document.createElement("span");
    text.textContent = runLabel(i);
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `leave out ${runLabel(i)}`);
    remove.addEventListener("click", () => {
      state.selected.splice(place, 1);
      app.selectionChanged();
    });
    item.append(text, remove);
    return item;
  }));
  document.querySelector("#curves .empty").hidden = chosen.length > 0;
  document.querySelector("#runs .clear").hidden = !chosen.length;
}

function startCurves() {
  const panels = document.querySelector("#curves .panels");
  for (const [key, title] of PANELS) {
    const panel = document.createElement("div");
    panel.className = "panel";
    panel.dataset.series = key;
    panels.append(panel);
    chart(panel, () => curvePanel(key, title));
  }
}

function curvePanel(key, title) {
  const traces = [];
  let longest = 1;
  selectedRuns().forEach((i, place) => {
    const series = app.curves.of(i);
    const look = lineLook(place);
    const best = app.runs.value(i, "best_epoch");
    const names = key === "loss" ? ["train_loss", "validation_loss"] : [key];
    for (const name of names) {
      const y = series[name] || [];
      if (!y.some((value) => value !== null)) continue;
      const x = y.map((_, e) => app.curves.epoch(e));
      longest = Math.max(longest, x[x.length - 1]);
      const dash = name === "train_loss" ? "dash" : key === "loss" ? "solid" : look.dash;
      const what = name === "train_loss" ? "training " : key === "loss" ? "validation " : "";
      traces.push({
        type: "scatter",
        mode: y.length > 1 ? "lines" : "markers",
        x,
        y,
        line: { color: look.color, width: name === "train_loss" ? 1.1 : 1.8, dash },
        hovertemplate: `${escaped(runLabel(i))}<br>epoch %{x}: ${what}%{y:.3f}<extra></extra>`,
      });
      if (best && name !== "train_loss") {
        const at = Math.min(y.length - 1, Math.round((best - 1) / app.curves.every));
        traces.push({
          type: "scatter",
          mode: "markers",
          x: [best],
          y: [y[at]],
          marker: { color: look.color, size: 7, line: { color: colour("paper"), width: 1 } },
          hovertemplate: `${escaped(runLabel(i))}<br>epoch %{x}, kept: %{y:.3f}<extra></extra>`,
        });
      }
    }
  });
  if (!traces.length) return null;
  return {
    traces,
    layout: layout({
      height: 250,
      title: { text: title, font: { size: 13 }, x: 0, xref: "paper", y: 0.97, yref: "container" },
      xaxis: axis("epoch", { range: [0.5, longest + 0.5], nticks: 6, tickformat: "d" }),
      yaxis: axis("", { nticks: 5 }),
    }),
  };
}

// Names of the runs that the filter leaves, those that lead on validation where there are too many.
function seedNames() {
  const names = new Map();
  for (const i of app.filtered) {
    if (app.runs.baseline[i]) continue;
    const value = app.runs.score(i, state.column, state.part, state.metric);
    if (value === null) continue;
    const key = app.runs.text(i, "name");
    if (!names.has(key)) names.set(key, []);
    names.get(key).push({ i, value });
  }
  const all = [...names];
  if (all.length <= SEED_NAMES) return { shown: all, total: all.length };
  const height = ([, points]) => {
    const known = points.map(({ i }) => app.runs.score(i, "mean", "validation", "ccc"))
      .filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : -9;
  };
  const leading = new Set([...all].sort((one, two) => height(two) - height(one)).slice(0, SEED_NAMES));
  return { shown: all.filter((each) => leading.has(each)), total: all.length };
}

function startSeeds() {
  const element = document.getElementById("seeds-chart");
  chart(element, seedsFigure, () => {
    element.on("plotly_click", ({ points }) => {
      const id = points[0].customdata;
      if (!id || state.selected.includes(id) || state.selected.length >= MOST_SELECTED) return;
      state.selected.push(id);
      app.selectionChanged();
    });
  });
}

function seedsFigure() {
  const { shown, total } = seedNames();
  const note = document.querySelector("#seeds .told");
  note.textContent = total > shown.length
    ? `Shown are the ${shown.length} names, of ${total}, with the highest mean on validation; filter the runs above to see others.`
    : "";
  if (!shown.length) return null;
  const several = app.content.sweeps.length;
  const traces = [];
  const annotations = [];
  const width = document.getElementById("seeds-chart").clientWidth || 640;
  shown.forEach(([name, points], row) => {
    annotations.push({
      x: 0, xref: "paper", xanchor: "left", y: -row, yref: "y", yshift: 21, showarrow: false,
      text: escaped(shortened(name, Math.floor(width / 7.2))), font: { size: 12 },
    });
    for (let sweep = 0; sweep < several; sweep++) {
      const own = points.filter(({ i }) => app.runs.sweep[i] === sweep);
      if (!own.length) continue;
      const y = -row - 0.1 + (several > 1 ? 0.14 - 0.26 * sweep : 0);
      const { color } = lineLook(sweep);
      traces.push({
        type: "box",
        orientation: "h",
        x: own.map(({ value }) => value),
        y0: y,
        name: app.content.sweeps[sweep].label,
        width: several > 1 ? 0.2 : 0.34,
        boxpoints: "all",
        jitter: 0.6,
        pointpos: 0,
        hoveron: "points",
        line: { color, width: 1.2 },
        fillcolor: "rgba(0,0,0,0)",
        marker: { color, size: own.length > 60 ? 3 : 5, opacity: own.length > 60 ? 0.35 : 0.65 },
        customdata: own.map(({ i }) => app.runs.ids[i]),
        text: own.map(({ i, value }) => `${escaped(runLabel(i))}<br>${state.column} ${scoreText(value)}`),
        hovertemplate: "%{text}<extra></extra>",
      });
    }
  });
  const shapes = [];
  if (state.metric !== "rmse") {
    for (const base of app.content.yardsticks) {
      const i = app.runs.place.get(runKey(base.sweep, base.run));
      const value = app.runs.score(i, state.column, state.part, state.metric);
      if (value === null || (several > 1 && base.sweep > 0)) continue;
      shapes.push({
        type: "line", x0: value, x1: value, y0: 0, y1: 1, yref: "paper",
        line: { color: colour("faint"), width: 1.2, dash: "dash" },
      });
      annotations.push({
        x: value, y: 1, yref: "paper", yanchor: "bottom", showarrow: false, yshift: 2,
        text: `${escaped(shortened(app.runs.text(i, "name"), 34))} ${scoreText(value)}`,
        font: { size: 11, color: colour("faint") },
      });
    }
  }
  return {
    traces,
    layout: layout({
      height: 84 + 54 * shown.length,
      margin: { l: 12, r: 14, t: 26, b: 42 },
      boxmode: "overlay",
      annotations,
      shapes,
      xaxis: axis(`${state.column}, ${metricLabel()} on the ${state.part} set`),
      yaxis: {
        range: [0.58 - shown.length, 0.62], tickvals: shown.map((_, row) => 0.5 - row),
        showticklabels: false, gridcolor: colour("rule"), zeroline: false, fixedrange: true,
      },
    }),
  };
}
