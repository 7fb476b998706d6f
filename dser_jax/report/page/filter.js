// A filter: words that a run's texts contain, and conditions such as seed=3 or mean>.6.
function parsedFilter(text) {
  const found = text.match(/[^\s"<>=:]*(?:>=|<=|[<>=:])"[^"]*"|"[^"]*"|\S+/g) || [];
  return found.map((token) => {
    const negated = token.length > 1 && token[0] === "-" && !/^-[.\d]/.test(token);
    const rest = negated ? token.slice(1) : token;
    const parts = rest.match(/^([^\s"<>=:]+)(>=|<=|[<>=:])"?([^"]*)"?$/);
    const key = parts && columnNamed(parts[1]);
    if (key) return { negated, token, key, sign: parts[2], value: parts[3].trim() };
    return { negated, token, word: rest.replaceAll('"', "").toLowerCase(), column: parts?.[1] };
  });
}

// Why a condition cannot be read; nothing where it can. A name may have signs in it: a word that
// occurs is a word.
function unreadable({ token, key, sign, value, word, column }) {
  if ((token.match(/"/g) || []).length % 2) return `${token}: a quotation mark is open`;
  if (word !== undefined) {
    if (!column || app.texts.some((text) => text.includes(word))) return null;
    return `${token}: no column is called ${column}`;
  }
  const numbers = COLUMNS.includes(key)
    || app.runs.columns.find((each) => each.key === key).kind === "number";
  if (sign === ":" || (sign === "=" && !numbers)) return null;
  if (!numbers) return `${token}: ${key} is words, which = and : are for`;
  if (value === "" || Number.isNaN(asNumber(value))) return `${token}: expected a number after ${sign}`;
  return null;
}

const asNumber = (text) => Number(text.replace("−", "-"));

const GREEK = { α: "alpha", β: "beta", γ: "gamma" };

function columnNamed(name) {
  const wanted = (GREEK[name] || name).toLowerCase().replace(/[ _]/g, "");
  const keys = [...app.runs.columns.map((column) => column.key), ...COLUMNS];
  return keys.find((key) => key.toLowerCase().replace(/_/g, "") === wanted);
}

function cellValue(i, key) {
  return COLUMNS.includes(key) ? app.runs.score(i, key, state.part, state.metric)
    : app.runs.value(i, key);
}

function holds(i, condition) {
  if (condition.word !== undefined) {
    return app.texts[i].includes(condition.word) !== condition.negated;
  }
  const value = cellValue(i, condition.key);
  const wanted = condition.value;
  const bound = asNumber(wanted);
  let found = false;
  if (condition.sign === ":") {
    found = String(value ?? "").toLowerCase().includes(wanted.toLowerCase());
  } else if (condition.sign === "=") {
    found = typeof value === "number" ? Math.abs(value - bound) < 1e-9
      : String(value ?? "").toLowerCase() === wanted.toLowerCase();
  } else if (typeof value === "number" && wanted !== "" && !Number.isNaN(bound)) {
    found = { "<": value < bound, ">": value > bound, "<=": value <= bound, ">=": value >= bound }[
      condition.sign
    ];
  }
  return found !== condition.negated;
}
