// Searches over settings: a surface to turn, a map, a line; each says what validation picked.

const VIRIDIS = "Viridis";

function hasWebGL() {
  try {
    const found = document.createElement("canvas").getContext("webgl");
    found?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(found);
  } catch {
    return false;
  }
}

function startSearches() {
  const root = document.getElementById("searches");
  if (!root) return;
  const several = app.content.sweeps.length > 1;
  let last = null;
  let row = null;
  app.content.searches.forEach((search, number) => {
    const sweep = several ? `${app.content.sweeps[search.sweep].label}: ` : "";
    if (search.axes.length === 1) {
      if (!row || last !== search.together) {
        row = document.createElement("div");
        row.className = "panels";
        root.append(row);
      }
      last = search.together;
      const figure = document.createElement("figure");
      figure.innerHTML = '<div class="panel line"></div><figcaption></figcaption>';
      figure.querySelector("figcaption").textContent =
        `${sweep}${search.what}: ${[search.told, search.held].filter(Boolean).join("; ")}.`;
      row.append(figure);
      chart(figure.firstChild, () => searchLine(search));
      return;
    }
    row = null;
    const figure = document.createElement("figure");
    figure.className = "searched";
    const parts = ["validation", "test"].filter((part) =>
      search.points.some((point) => point.scores[`${part} ccc`]));
    if (!parts.includes(state.searchPart[number])) state.searchPart[number] = parts[0];
    figure.innerHTML = `<div class="toolbar"><label>Scores on the <select>
      ${parts.map((part) => `<option value="${part}">${part} set</option>`).join("")}
      </select></label><button type="button" class="turn-back">turn back</button></div>
      <div class="pair"><div class="surface"></div><div class="map"></div></div><figcaption></figcaption>`;
    const [surface, map] = [figure.querySelector(".surface"), figure.querySelector(".map")];
    const grey = search.points.some((point) => !point.allowed)
      ? " Grey: γ = 1 − α − β is negative, never picked." : "";
    figure.querySelector("figcaption").textContent =
      `${sweep}${search.what}: ${search.told}.${grey} Drag to turn; a click shows the runs of a point in the table.`;
    root.append(figure);
    const select = figure.querySelector("select");
    select.value = state.searchPart[number];
    select.addEventListener("change", () => {
      state.searchPart[number] = select.value;
      changed(surface, map);
      keep();
    });
    const part = () => state.searchPart[number];
    chart(map, () => searchMap(search, part()), () => map.on("plotly_click", ({ points }) => {
      const [row, column] = points[0].pointNumber;
      const { x, y } = gridOf(search, part());
      showPoint(search, [x[column], y[row]]);
    }));
    const back = figure.querySelector(".turn-back");
    if (!hasWebGL()) {
      surface.remove();
      back.remove();
      return;
    }
    chart(surface, () => searchSurface(search, part(), number), () => {
      surface.on("plotly_relayout", () => {
        state.camera[number] = surface.layout.scene.camera;
        keep();
      });
      surface.on("plotly_click", ({ points }) => showPoint(search, [points[0].x, points[0].y]));
    });
    back.addEventListener("click", () => {
      delete state.camera[number];
      Plotly.relayout(surface, { "scene.camera": CAMERA });
    });
  });
}

const CAMERA = { eye: { x: -1.12, y: -1.25, z: 0.85 }, center: { x: 0, y: 0, z: -0.13 }, up: { x: 0, y: 0, z: 1 } };

function showPoint(search, at) {
  setFilter(search.axes.map(({ key }, axis_) => `${key}=${plainNumber(at[axis_])}`).join(" "));
  document.getElementById("runs").scrollIntoView({ behavior: "smooth" });
}

function gridOf(search, part) {
  const values = [0, 1].map((axis_) =>
    [...new Set(search.points.map((point) => point.at[axis_]))].sort((one, two) => one - two));
  const cells = values[1].map(() => values[0].map(() => null));
  search.points.forEach((point, number) => {
    cells[values[1].indexOf(point.at[1])][values[0].indexOf(point.at[0])] = {
      ...point, spread: point.scores[`${part} ccc`] || null, picked: number === search.pick,
    };
  });
  return { x: values[0], y: values[1], cells };
}

function told(search, cell, part) {
  const at = search.axes.map(({ label }, axis_) => `${label} ${plainNumber(cell.at[axis_])}`);
  if (search.kind === "weights") at.push(`γ (dominance) ${plainNumber(Number((1 - cell.at[0] - cell.at[1]).toFixed(9)))}`);
  const lines = [at.join("<br>")];
  if (cell.spread) {
    const [mean, sd, low, high, n] = cell.spread;
    const about = sd === null ? "" : ` ± ${scoreText(sd)}`;
    const ends = low === null ? "" : ` [${scoreText(low)}, ${scoreText(high)}]`;
    lines.push(`mean CCC on ${part} ${scoreText(mean)}${about}${ends}`, `${n} ${n === 1 ? "seed" : "seeds"}`);
  } else {
    lines.push("no score");
  }
  if (cell.lost) lines.push(`${cell.lost} ended before their time`);
  if (!cell.allowed) lines.push("γ is negative: never picked");
  if (cell.picked) lines.push("<b>picked on validation</b>");
  return lines.join("<br>");
}

// The best scores are close together: where a few bad ones would take up the colours, these end
// at 2.5 times the distance from the top to the median.
function colourRange(cells) {
  const known = cells.flat().filter((cell) => cell?.spread).map((cell) => cell.spread[0]).sort((a, b) => a - b);
  const top = known[known.length - 1];
  const middle = known[Math.floor(known.length / 2)];
  const low = top > middle ? Math.max(known[0], top - 2.5 * (top - middle)) : known[0];
  return top > low ? [low, top] : [low - 0.01, top + 0.01];
}

function colourBar(title) {
  return {
    title: { text: title, side: "right", font: { size: 11 } }, thickness: 9, len: 0.82, outlinewidth: 0,
    tickfont: { size: 10 }, nticks: 6,
  };
}

function searchSurface(search, part, number) {
  const { x, y, cells } = gridOf(search, part);
  if (!cells.flat().some((cell) => cell?.spread)) return null;
  const [cmin, cmax] = colourRange(cells);
  const vertices = [];
  const index = new Map();
  cells.forEach((line, row) => line.forEach((cell, column) => {
    if (!cell?.spread) return;
    index.set(`${row},${column}`, vertices.length);
    vertices.push(cell);
  }));
  const at = (row, column) => index.get(`${row},${column}`);
  // What is drawn on the surface lies a little above it, not to be hidden in it.
  const heights = vertices.map((cell) => cell.spread[0]);
  const lift = 0.006 * (Math.max(...heights) - Math.min(...heights));
  const triangles = { allowed: [[], [], []], not: [[], [], []] };
  const lines = { x: [], y: [], z: [] };
  const edge = (one, two) => {
    if (one === undefined || two === undefined) return;
    for (const cell of [vertices[one], vertices[two]]) {
      lines.x.push(cell.at[0]);
      lines.y.push(cell.at[1]);
      lines.z.push(cell.spread[0] + lift);
    }
    for (const each of Object.values(lines)) each.push(null);
  };
  for (let row = 0; row < y.length; row++) {
    for (let column = 0; column < x.length; column++) {
      const [a, b, c, d] = [at(row, column), at(row, column + 1), at(row + 1, column), at(row + 1, column + 1)];
      edge(a, b);
      edge(a, c);
      for (const corners of [[a, b, c], [b, d, c]]) {
        if (corners.includes(undefined)) continue;
        const kind = corners.every((corner) => vertices[corner].allowed) ? "allowed" : "not";
        corners.forEach((corner, place) => triangles[kind][place].push(corner));
      }
    }
  }
  const xyz = {
    x: vertices.map((cell) => cell.at[0]),
    y: vertices.map((cell) => cell.at[1]),
    z: heights,
  };
  const mesh = ([i, j, k], more) => ({
    type: "mesh3d", ...xyz, i, j, k, flatshading: true,
    lighting: { ambient: 0.95, diffuse: 0.15, specular: 0.02 },
    text: vertices.map((cell) => told(search, cell, part)), hovertemplate: "%{text}<extra></extra>", ...more,
  });
  const traces = [];
  if (triangles.not[0].length) traces.push(mesh(triangles.not, { color: dark() ? "#5b5f66" : "#d4d6d9", opacity: 0.85 }));
  if (triangles.allowed[0].length) {
    traces.push(mesh(triangles.allowed, {
      intensity: xyz.z, colorscale: VIRIDIS, cmin, cmax, showscale: false,
    }));
  }
  traces.push({
    type: "scatter3d", mode: "lines", ...lines, hoverinfo: "skip",
    line: { color: "#4a4e54", width: 1 },
  });
  const pick = vertices.find((cell) => cell.picked);
  const floor = Math.min(...heights);
  if (pick) {
    traces.push({
      type: "scatter3d", mode: "lines+markers", hovertemplate: `${told(search, pick, part)}<extra></extra>`,
      x: [pick.at[0], pick.at[0]], y: [pick.at[1], pick.at[1]], z: [floor, pick.spread[0] + 3 * lift],
      line: { color: "#D55E00", width: 4, dash: "dash" },
      marker: { color: "#D55E00", size: [0.1, 6], line: { color: "#ffffff", width: 1 } },
    });
  }
  const axis3 = (title) => ({
    title: { text: title, font: { size: 12 } }, gridcolor: colour("rule"), zerolinecolor: colour("rule"),
    color: colour("ink"), tickfont: { size: 10 }, showspikes: false, backgroundcolor: "rgba(0,0,0,0)", nticks: 6,
  });
  return {
    traces,
    layout: layout({
      height: 430,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      uirevision: part,
      scene: {
        dragmode: "turntable",
        camera: state.camera[number] || CAMERA,
        aspectmode: "manual",
        aspectratio: { x: 1, y: 1, z: 0.72 },
        xaxis: axis3(search.axes[0].label),
        yaxis: axis3(search.axes[1].label),
        zaxis: axis3("mean CCC"),
      },
    }),
  };
}

function searchMap(search, part) {
  const { x, y, cells } = gridOf(search, part);
  if (!cells.flat().some((cell) => cell?.spread)) return null;
  const [zmin, zmax] = colourRange(cells);
  const numbered = Math.max(x.length, y.length) <= 13;
  const decimals = zmax - zmin < 0.06 ? 3 : 2;
  const element = [...document.querySelectorAll(".map")].find((each) => each.clientWidth);
  const roomy = (element?.clientWidth || 400) / x.length > 26;
  const annotations = [];
  const shapes = [];
  const labels = [x, y].map((values) => values.map(plainNumber));
  cells.forEach((line, row) => line.forEach((cell, column) => {
    if (!cell) return;
    const mid = (zmin + zmax) / 2;
    const box = { type: "rect", x0: column - 0.5, x1: column + 0.5, y0: row - 0.5, y1: row + 0.5 };
    if (!cell.allowed) {
      shapes.push({ ...box, line: { width: 0 }, fillcolor: dark() ? "rgba(70,74,80,.72)" : "rgba(214,216,219,.78)" });
    }
    if (cell.picked) shapes.push({ ...box, line: { color: "#ffffff", width: 4 } }, { ...box, line: { color: "#D55E00", width: 2.5 } });
    if (numbered && roomy && cell.spread) {
      const text = scoreText(Number(cell.spread[0].toFixed(decimals))).slice(0, cell.spread[0] < 0 ? decimals + 2 : decimals + 1);
      annotations.push({
        x: column, y: row, text, showarrow: false,
        font: { size: 9.5, color: !cell.allowed ? colour("ink") : cell.spread[0] < mid ? "#ffffff" : "#101214" },
      });
    }
  }));
  const ticks = (texts) => {
    const every = Math.ceil(texts.length / 12);
    const places = texts.map((_, place) => place).filter((place) => place % every === 0);
    return { tickvals: places, ticktext: places.map((place) => texts[place]), showgrid: false, zeroline: false };
  };
  return {
    traces: [{
      type: "heatmap",
      z: cells.map((line) => line.map((cell) => (cell?.spread ? cell.spread[0] : null))),
      customdata: cells.map((line) => line.map((cell) => cell?.at)),
      text: cells.map((line) => line.map((cell) => (cell ? told(search, cell, part) : ""))),
      hovertemplate: "%{text}<extra></extra>",
      hoverongaps: false,
      colorscale: VIRIDIS, zmin, zmax, xgap: 1, ygap: 1,
      colorbar: colourBar(`mean CCC, ${part}`),
    }],
    layout: layout({
      height: 430,
      margin: { l: 52, r: 8, t: 12, b: 46 },
      annotations,
      shapes,
      xaxis: axis(search.axes[0].label, ticks(labels[0])),
      yaxis: axis(search.axes[1].label, ticks(labels[1])),
    }),
  };
}

function searchLine(search) {
  const traces = [];
  for (const [place, part] of ["test", "validation"].entries()) {
    const points = search.points.filter((point) => point.scores[`${part} ccc`]);
    if (!points.length) continue;
    const { color } = lineLook(place);
    const spreads = points.map((point) => point.scores[`${part} ccc`]);
    const known = part === "test" && spreads.every((spread) => spread[2] !== null);
    traces.push({
      type: "scatter", mode: "lines+markers", name: part,
      x: points.map((point) => point.at[0]),
      y: spreads.map((spread) => spread[0]),
      text: points.map((point) => told(search, { ...point, spread: point.scores[`${part} ccc`] }, part)),
      hovertemplate: "%{text}<extra></extra>",
      line: { color, width: 1.6, dash: part === "validation" ? "dash" : "solid" },
      marker: { color, size: 5 },
      ...(known && {
        error_y: {
          type: "data", symmetric: false, thickness: 1, width: 2, color,
          array: spreads.map((spread) => spread[3] - spread[0]),
          arrayminus: spreads.map((spread) => spread[0] - spread[2]),
        },
      }),
    });
  }
  if (!traces.length) return null;
  const values = search.points.map((point) => point.at[0]);
  const log = values.length > 2 && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 50;
  const pick = search.pick === null ? null : search.points[search.pick].at[0];
  return {
    traces,
    layout: layout({
      height: 280,
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.16, font: { size: 11 } },
      shapes: pick === null ? [] : [{
        type: "line", x0: pick, x1: pick, y0: 0, y1: 1, yref: "paper",
        line: { color: "#D55E00", width: 1 },
      }],
      xaxis: axis(search.axes[0].label, log ? { type: "log" } : {}),
      yaxis: axis("mean CCC", { nticks: 6 }),
    }),
  };
}
