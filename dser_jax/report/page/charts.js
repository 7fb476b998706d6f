// Drawings: one look, in the colours of the page, drawn when they come into view.

const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
const PALETTE_DARK = ["#3F9BDB", "#E8722A", "#1DB58A", "#DB93BC", "#E69F00", "#93D1F5", "#FFFFFF"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const CONFIG = {
  displaylogo: false,
  responsive: true,
  scrollZoom: false,
  modeBarButtons: [["toImage"]],
  toImageButtonOptions: { format: "svg" },
};

const charts = new Map();
let printing = false;

const dark = () => !printing && matchMedia("(prefers-color-scheme: dark)").matches;

function colour(name) {
  const print = { ink: "#1b1c1e", faint: "#5c6066", rule: "#dcdee1", paper: "#ffffff", accent: "#0072B2" };
  if (printing) return print[name];
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function lineLook(place) {
  const colours = dark() ? PALETTE_DARK : PALETTE;
  return {
    color: colours[place % colours.length],
    dash: DASHES[Math.floor(place / colours.length) % DASHES.length],
  };
}

function axis(title, more = {}) {
  return {
    title: { text: title, font: { size: 12 }, standoff: 8 },
    gridcolor: colour("rule"),
    linecolor: colour("faint"),
    zerolinecolor: colour("rule"),
    zerolinewidth: 1,
    tickfont: { size: 11 },
    automargin: true,
    fixedrange: true,
    ...more,
  };
}

function layout(more = {}) {
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 48, r: 12, t: 30, b: 42 },
    showlegend: false,
    dragmode: false,
    hovermode: "closest",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("faint"), activecolor: colour("ink") },
    hoverlabel: {
      bgcolor: colour("paper"),
      bordercolor: colour("faint"),
      font: { color: colour("ink"), size: 12, family: getComputedStyle(document.body).fontFamily },
      align: "left",
      namelength: -1,
    },
    ...more,
  };
}

// `make` returns traces and a layout, or null where there is nothing to draw.
function chart(element, make, whenDrawn) {
  const entry = { element, make, whenDrawn, dirty: true, visible: false };
  charts.set(element, entry);
  app.seen.observe(element);
}

function draw(entry) {
  if (!window.Plotly) return;  // It is unpacked while the tables can be used already.
  entry.dirty = false;
  const made = entry.make();
  entry.element.hidden = !made;
  if (!made) {
    Plotly.purge(entry.element);
    entry.element.replaceChildren();
    return;
  }
  const width = printing ? { width: printedWidth(entry.element) } : {};
  Plotly.react(entry.element, made.traces, { ...made.layout, ...width }, CONFIG);
  if (entry.whenDrawn) {
    entry.whenDrawn(entry.element);
    entry.whenDrawn = null;
  }
}

// A sheet is laid out only after its charts are drawn, so what room they have must be known: of A4,
// whose text is 695 wide, the narrower of the usual ones.
function printedWidth(element) {
  return element.closest(".three") ? 215 : element.closest(".panels, .pair") ? 330 : 680;
}

function changed(...elements) {
  for (const element of elements) {
    const entry = charts.get(element);
    if (!entry) continue;
    entry.dirty = true;
    if (entry.visible) draw(entry);
  }
}

function observeCharts() {
  return new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      const entry = charts.get(target);
      entry.visible = isIntersecting;
      if (isIntersecting && entry.dirty) draw(entry);
    }
  }, { rootMargin: "400px" });
}

function redrawAll() {
  for (const entry of charts.values()) {
    entry.dirty = true;
    if (entry.visible || printing) draw(entry);
  }
}

function escaped(text) {
  return String(text).replace(/[&<>]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[letter]);
}

function shortened(text, limit) {
  const half = Math.floor((limit - 1) / 2);
  return text.length <= limit ? text : `${text.slice(0, half)}…${text.slice(-half)}`;
}

function runLabel(i) {
  const sweep = app.content.sweeps.length > 1 ? `${app.content.sweeps[app.runs.sweep[i]].label}: ` : "";
  return `${sweep}${app.runs.text(i, "name")}, seed ${app.runs.text(i, "seed")}`;
}

function metricLabel() {
  return { ccc: "CCC", ccc_batch32: "CCC, mean over 32-row batches", rmse: "RMSE" }[state.metric];
}
