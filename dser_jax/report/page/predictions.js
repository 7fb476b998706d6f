// Predictions against labels: a panel an attribute.

function startPredictions() {
  const root = document.getElementById("predictions");
  if (!root) return;
  const { entries, truths } = app.content.predictions;
  const starts = [0];
  for (const size of app.content.predictions.size) starts.push(starts[starts.length - 1] + size);
  app.predicted = { codes: app.array(app.content.predictions.codes), starts };
  const several = app.content.sweeps.length > 1;
  const heads = entries.map((entry, number) => ({ entry, number })).filter(({ entry }) => entry.run === null);
  const [names, which] = root.querySelectorAll("select");
  names.replaceChildren(...heads.map(({ entry, number }) => {
    const sweep = several ? `${app.content.sweeps[entry.sweep].label}: ` : "";
    const group = truths.length > (several ? app.content.sweeps.length : 1) ? ` (${truths[entry.truth].told})` : "";
    return new Option(`${sweep}${entry.name}${group}`, number);
  }));
  const same = (one, two) => one.name === two.name && one.sweep === two.sweep && one.truth === two.truth;
  const fill = () => {
    const head = entries[Number(names.value)];
    const own = entries.map((entry, number) => ({ entry, number })).filter(({ entry }) => same(entry, head));
    which.replaceChildren(...own.map(({ entry, number }) => new Option(
      entry.run === null ? (entry.seeds === 1 ? "its only run" : `mean of ${entry.seeds} seeds`)
        : `seed ${app.runs.text(app.runs.place.get(runKey(entry.sweep, entry.run)), "seed")}`, number)));
  };
  const panels = [...root.querySelectorAll(".panel")];
  const show = () => {
    state.entry = [entries[Number(which.value)].name, which.selectedIndex];
    changed(...panels);
    keep();
  };
  const before = heads.find(({ entry }) => entry.name === state.entry?.[0]);
  names.value = (before || heads[0]).number;
  fill();
  which.selectedIndex = before ? Math.min(state.entry[1], which.options.length - 1) : 0;
  names.addEventListener("change", () => {
    fill();
    show();
  });
  which.addEventListener("change", show);
  panels.forEach((panel, attr) => chart(panel, () => predictionPanel(Number(which.value), attr)));
}

function predictionPanel(number, attr) {
  const entry = app.content.predictions.entries[number];
  const truth = app.content.predictions.truths[entry.truth];
  if (entry.ccc[attr] === null) return null;
  const gold = app.array(truth.gold);
  const { codes, starts } = app.predicted;
  const step = (entry.high - entry.low) / 254;
  const x = [];
  const y = [];
  const text = [];
  for (let utt = 0; utt < truth.ids.length; utt++) {
    const label = gold[3 * utt + attr];
    if (Number.isNaN(label)) continue;
    x.push(label);
    y.push(entry.low + step * codes[starts[entry.at] + 3 * utt + attr]);
    text.push(escaped(truth.ids[utt]));
  }
  const both = [...x, ...y];
  const [low, high] = [Math.min(...both), Math.max(...both)];
  const room = 0.05 * Math.max(high - low, 0.1);
  const ends = [low - room, high + room];
  const { color } = lineLook(entry.sweep);
  const title = `${COLUMNS[attr][0].toUpperCase()}${COLUMNS[attr].slice(1)}, CCC ${scoreText(entry.ccc[attr])}`;
  return {
    traces: [
      {
        type: "scatter", mode: "lines", x: ends, y: ends, hoverinfo: "skip",
        line: { color: colour("faint"), width: 1 },
      },
      {
        type: "scatter", mode: "markers", x, y, text,
        marker: { color, size: 5, opacity: Math.min(0.6, Math.max(0.12, 60 / x.length)) },
        hovertemplate: "%{text}<br>label %{x:.2f}<br>prediction %{y:.2f}<extra></extra>",
      },
    ],
    layout: layout({
      height: 330,
      title: { text: title, font: { size: 13 }, x: 0, xref: "paper", y: 0.97, yref: "container" },
      xaxis: axis("label", { range: ends, nticks: 5 }),
      yaxis: axis(attr === 0 ? "prediction" : "", { range: ends, nticks: 5 }),
    }),
  };
}
