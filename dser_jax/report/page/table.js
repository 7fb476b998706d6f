// Tables: those of scores are sorted where they stand; the one of all runs draws what is in view.

const ROW = 30;
const PRINTED = 500;
const MOST_SELECTED = 14;

function sortButton(th, apply) {
  // Of the whole head; a key pressed on its button is a click that comes here, too.
  th.addEventListener("click", () => {
    const order = th.getAttribute("aria-sort");
    const down = th.dataset.kind === "number";
    const next = order === null ? (down ? "descending" : "ascending")
      : order === "descending" ? "ascending" : "descending";
    for (const each of th.parentNode.children) each.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", next);
    apply(next === "ascending" ? 1 : -1);
  });
}

function compared(one, two) {
  if (one === two) return 0;
  if (one === null || one === "") return null;
  if (two === null || two === "") return null;
  if (typeof one === "number" && typeof two === "number") return one - two;
  return String(one).localeCompare(String(two), "en", { numeric: true });
}

// What is not there comes last, whichever way the rest goes.
function ordered(one, two, sign) {
  const found = compared(one, two);
  if (found !== null) return sign * found;
  return one === null || one === "" ? 1 : -1;
}

function sortableTables() {
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((th, at) => {
      if (!th.querySelector("button")) return;
      sortButton(th, (sign) => {
        const body = table.tBodies[0];
        const value = (row) => {
          const given = row.cells[at].dataset.value ?? "";
          return th.dataset.kind === "number" && given !== "" ? Number(given) : given;
        };
        const rows = [...body.rows];
        const baselines = rows.filter((row) => row.classList.contains("baseline"));
        const others = rows.filter((row) => !row.classList.contains("baseline"));
        for (const group of [others, baselines]) {
          group.sort((one, two) => ordered(value(one), value(two), sign));
          group.forEach((row, i) => row.classList.toggle("first", group === baselines && i === 0));
        }
        body.append(...others, ...baselines);
      });
    });
  }
}

function makeRunTable(root) {
  const runs = app.runs;
  const scroller = root.querySelector(".rows");
  const [head, body] = [scroller.querySelector("thead"), scroller.querySelector("tbody")];
  const shown = runs.columns.filter((column) => column.key !== "group" || column.levels.length > 2);
  const keys = shown.map((column) => column.key);
  keys.splice(app.content.runs.before, 0, ...COLUMNS);
  let order = [];
  let active = 0;
  let window_ = [0, 0];

  const kindOf = (key) => COLUMNS.includes(key) ? "number"
    : runs.columns.find((column) => column.key === key).kind;
  const labelOf = (key) => runs.columns.find((column) => column.key === key)?.label ?? key;

  app.texts = Array.from({ length: runs.count }, (_, i) =>
    runs.columns.filter((column) => column.kind === "text").map((column) => runs.text(i, column.key))
      .join("\n").toLowerCase());

  function widths() {
    const list = [4.2];
    for (const key of keys) {
      const column = shown.find((each) => each.key === key);
      const longest = column?.kind === "text"
        ? Math.max(0, ...column.levels.map((level) => level.length)) : column ? 6 : 6;
      const most = innerWidth < 640 ? 16 : key === "name" ? 38 : 26;
      list.push(Math.min(most, Math.max(longest, labelOf(key).length + 1.2)) + 2);
    }
    return list;
  }

  function header() {
    const columns = scroller.querySelector("colgroup");
    const sizes = widths();
    columns.replaceChildren(...sizes.map((size) => {
      const col = document.createElement("col");
      col.style.width = `${size}ch`;
      return col;
    }));
    scroller.querySelector("table").style.width = `${sizes.reduce((sum, size) => sum + size, 0)}ch`;
    const row = head.insertRow();
    const first = document.createElement("th");
    first.innerHTML = '<span class="hidden">curves</span>';
    row.append(first);
    for (const key of keys) {
      const th = document.createElement("th");
      th.scope = "col";
      th.dataset.kind = kindOf(key);
      th.dataset.key = key;
      th.className = `${kindOf(key)} column-${key}`;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = labelOf(key);
      th.append(button);
      row.append(th);
      sortButton(th, (sign) => {
        state.sort = { key, sign };
        update();
      });
      if (state.sort?.key === key) {
        th.setAttribute("aria-sort", state.sort.sign > 0 ? "ascending" : "descending");
      }
    }
  }

  function rowOf(place) {
    const i = order[place];
    const tr = document.createElement("tr");
    tr.dataset.place = place;
    tr.setAttribute("aria-rowindex", place + 2);
    const chosen = state.selected.indexOf(runs.ids[i]);
    tr.classList.toggle("chosen", chosen >= 0);
    const first = tr.insertCell();
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = chosen >= 0;
    box.tabIndex = place === active ? 0 : -1;
    box.setAttribute("aria-label", `curves of ${runs.text(i, "name")}, seed ${runs.text(i, "seed")}`);
    if (runs.baseline[i]) box.setAttribute("aria-disabled", "true");  // The keyboard passes over it.
    first.append(box);
    if (chosen >= 0) first.style.setProperty("--mark", lineLook(chosen).color);
    for (const key of keys) {
      const td = tr.insertCell();
      td.className = `${kindOf(key)} column-${key}`;
      if (COLUMNS.includes(key)) {
        const found = runs.score(i, key, state.part, state.metric);
        td.textContent = scoreText(found);
        if (found === null && runs.untrained(i, key)) td.title = "not trained";
      } else {
        td.textContent = runs.text(i, key);
        if (td.textContent.length > 20) td.title = td.textContent;
      }
    }
    return tr;
  }

  function spacer(rows) {
    const tr = document.createElement("tr");
    tr.className = "spacer";
    tr.setAttribute("aria-hidden", "true");
    const td = tr.insertCell();
    td.colSpan = keys.length + 1;
    td.style.height = `${rows * ROW}px`;
    return tr;
  }

  function render(all = false) {
    const focused = body.contains(document.activeElement);
    const room = Math.ceil(scroller.clientHeight / ROW) + 1;
    const from = all ? 0 : Math.max(0, Math.floor(scroller.scrollTop / ROW) - 8);
    const to = all ? Math.min(order.length, PRINTED) : Math.min(order.length, from + room + 16);
    window_ = [from, to];
    const rows = [];
    if (from) rows.push(spacer(from));
    for (let place = from; place < to; place++) rows.push(rowOf(place));
    if (!all && to < order.length) rows.push(spacer(order.length - to));
    body.replaceChildren(...rows);
    if (focused) body.querySelector(`tr[data-place="${active}"] input`)?.focus({ preventScroll: true });
  }

  function update() {
    const given = parsedFilter(state.filter);
    const problems = given.map(unreadable).filter(Boolean);
    const conditions = given.filter((condition) => !unreadable(condition));
    const told = root.querySelector(".unread");
    told.hidden = !problems.length;
    told.textContent = `Not read, and left out of the filter: ${problems.join("; ")}.`;
    root.querySelector("input[type=search]").setAttribute("aria-invalid", problems.length > 0);
    order = [];
    for (let i = 0; i < runs.count; i++) {
      if (conditions.every((condition) => holds(i, condition))) order.push(i);
    }
    app.filtered = order.slice();
    if (state.sort) {
      const { key, sign } = state.sort;
      order.sort((one, two) => ordered(cellValue(one, key), cellValue(two, key), sign) || one - two);
    }
    active = Math.max(0, Math.min(active, order.length - 1));
    scroller.querySelector("table").setAttribute("aria-rowcount", order.length + 1);
    const all = `${runs.count.toLocaleString("en")} ${runs.count === 1 ? "run" : "runs"}`;
    const count = order.length === runs.count ? all : `${order.length.toLocaleString("en")} of ${all}`;
    root.querySelector("output").textContent = count;
    const byTest = state.sort && COLUMNS.includes(state.sort.key) && state.part === "test";
    root.querySelector(".by-test").hidden = !byTest;
    root.querySelector(".printed").textContent = order.length > PRINTED
      ? `The first ${PRINTED} of ${order.length.toLocaleString("en")} runs; runs.csv of the report has all.` : "";
    render();
    keep();
  }

  function toggle(place) {
    const i = order[place];
    if (runs.baseline[i]) return;
    const at = state.selected.indexOf(runs.ids[i]);
    if (at >= 0) state.selected.splice(at, 1);
    else if (state.selected.length < MOST_SELECTED) state.selected.push(runs.ids[i]);
    else root.querySelector("output").textContent = `at most ${MOST_SELECTED} runs at a time`;
    app.selectionChanged();
  }

  scroller.addEventListener("scroll", () => requestAnimationFrame(() => render()));
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-place]");
    if (!row || getSelection().toString()) return;
    active = Number(row.dataset.place);
    if (event.target.type === "checkbox") event.preventDefault();
    setTimeout(() => toggle(active));
  });
  body.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    active = Math.max(0, Math.min(order.length - 1, active + moves[event.key]));
    const top = active * ROW;
    const room = scroller.clientHeight - head.offsetHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + room) scroller.scrollTop = top + ROW - room;
    render();
    body.querySelector(`tr[data-place="${active}"] input`)?.focus({ preventScroll: true });
  });

  header();
  return { update, render, shown: () => window_ };
}
