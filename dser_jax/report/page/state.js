// What the reader has chosen; it outlives a reload, as of a page that is being refreshed.

const STORE = `dser-page:${location.pathname}`;

const state = {
  part: null,
  metric: "ccc",
  column: "mean",
  filter: "",
  sort: null,
  selected: [],
  entry: null,
  searchPart: {},
  camera: {},
  open: [],
  scroll: 0,
};

function restore() {
  try {
    Object.assign(state, JSON.parse(sessionStorage.getItem(STORE)) || {});
  } catch {
    // A page without storage begins anew.
  }
}

function keep() {
  state.scroll = window.scrollY;
  state.open = [...document.querySelectorAll("details")].map((each) => each.open);
  try {
    sessionStorage.setItem(STORE, JSON.stringify(state));
  } catch {
    // Likewise.
  }
}

// Asks the file again and again while `dser watch` writes it, save where the reader is busy.
function watchFile() {
  const seconds = Number(document.body.dataset.refresh || 0);
  if (!seconds) return;
  let last = 0;
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchmove"]) {
    addEventListener(kind, () => (last = Date.now()), { passive: true });
  }
  setInterval(() => {
    const busy = Date.now() - last < 1500 || getSelection().toString();
    if (document.hidden || busy) return;
    keep();
    location.reload();
  }, 1000 * seconds);
}
