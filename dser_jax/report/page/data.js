// What the page was given: content as JSON, arrays by name, scores and curves on demand.

const NO_SCORE = -32768;
const COLUMNS = ["valence", "arousal", "dominance", "mean"];

async function inflated(id) {
  const text = document.getElementById(id).textContent.trim();
  let bytes;
  if (Uint8Array.fromBase64) {
    bytes = Uint8Array.fromBase64(text);
  } else {
    const raw = atob(text);
    bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const KINDS = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int16: Int16Array,
  float32: Float32Array,
  float64: Float64Array,
};

function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, 4, length));
  const { content, arrays } = JSON.parse(text);
  const array = (name) => {
    const [kind, at, size] = arrays[name];
    return new KINDS[kind](buffer, 4 + length + at, size);
  };
  return { content, array };
}

// Two sweeps may have the same run.
const runKey = (sweep, id) => `${sweep}/${id}`;

// Runs as columns; `value` and `text` answer for a column of settings or of scores alike.
function makeRuns(content, array) {
  const given = content.runs;
  const columns = given.columns.map((column) => ({
    ...column,
    data: array(column.kind === "text" ? column.codes : column.values),
  }));
  const byKey = new Map(columns.map((column) => [column.key, column]));
  const scores = {};
  for (const [part, metrics] of Object.entries(given.scores)) {
    scores[part] = {};
    for (const [metric, name] of Object.entries(metrics)) scores[part][metric] = array(name);
  }
  const untrained = array(given.untrained);
  const sweep = array(given.sweep);
  const ids = given.id.map((id, i) => runKey(sweep[i], id));
  const runs = {
    count: given.count,
    ids,
    sweep,
    baseline: array(given.baseline),
    columns,
    scores,
    place: new Map(ids.map((id, i) => [id, i])),
    score(i, column, part, metric) {
      const found = scores[part]?.[metric]?.[4 * i + COLUMNS.indexOf(column)] ?? NO_SCORE;
      return found === NO_SCORE ? null : found / 1000;
    },
    untrained: (i, column) => Boolean(untrained[i] & (1 << COLUMNS.indexOf(column))),
    value(i, key) {
      const column = byKey.get(key);
      if (!column) return null;
      if (column.kind === "text") return column.levels[column.data[i]];
      return Number.isNaN(column.data[i]) ? null : column.data[i];
    },
    text(i, key) {
      const value = runs.value(i, key);
      return value === null ? "" : typeof value === "number" ? plainNumber(value) : value;
    },
    has: (key) => byKey.has(key),
  };
  return runs;
}

// The curves of a run: series by name, each a list of values, null where there is none.
function makeCurves(content, array) {
  const { series, every, missing, ...names } = content.curves;
  const [epochs, ends, codes] = [names.epochs, names.ends, names.codes].map(array);
  const starts = new Uint32Array(epochs.length + 1);
  epochs.forEach((count, i) => (starts[i + 1] = starts[i] + count * series.length));
  return {
    every,
    of(i) {
      const found = {};
      series.forEach((name, s) => {
        const low = ends[(2 * i) * series.length + s];
        const high = ends[(2 * i + 1) * series.length + s];
        const values = [];
        let code = 0;
        for (let e = 0; e < epochs[i]; e++) {
          code = (code + codes[starts[i] + s * epochs[i] + e]) & 255;
          values.push(code === missing ? null : low + ((high - low) * code) / 254);
        }
        found[name] = values;
      });
      const learnt = COLUMNS.slice(0, 3).filter((name) => found[name].some((v) => v !== null));
      const left = COLUMNS.slice(0, 3).some((name) => app.runs.untrained(i, name));
      found.mean = (found.valence || []).map((_, e) => {
        const values = learnt.map((name) => found[name][e]);
        if (left || !values.length || values.includes(null)) return null;
        return values.reduce((sum, v) => sum + v, 0) / values.length;
      });
      return found;
    },
    epoch: (e) => 1 + e * every,
  };
}

// Three decimals without the leading zero, as the tables of the report have it.
function scoreText(value) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(3).replace("-", "−");
  return /^−?0\.000$/.test(text) ? ".000" : text.replace("0.", /^−?0\./.test(text) ? "." : "0.");
}

function plainNumber(value) {
  const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}
