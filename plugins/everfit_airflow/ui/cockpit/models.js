// The Models page: a row a pipeline; on a narrow page a card each.
import { csvButton, following, h } from "./dom.js";
import { age, amount, apart, cost, percent, shorten } from "./format.js";
import { heatStrip, sparkline } from "./charts.js";
import { meter, stateMark, verdictMark } from "./marks.js";
import { TEXT } from "./texts.js";

const ORDER = ["asks", "broken", "worse", "drifting", "unmeasured", "new", "well"];
const REFRESH = 30;

// Positive: worse than when it was judged.
const worse = (row) => (row.now === null || row.judged === null ? 0 : (row.greater_is_better ? -1 : 1) * (row.now - row.judged));

const SORTS = {
  worst: (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || worse(b) / Math.abs(b.judged || 1) - worse(a) / Math.abs(a.judged || 1),
  name: () => 0,
  age: (a, b) => (a.since ?? "9").localeCompare(b.since ?? "9"),
  data: (a, b) => (a.seen ?? "").localeCompare(b.seen ?? ""),
  cost: (a, b) => b.cost.cpu_seconds - a.cost.cpu_seconds,
};

function scoreCell(row) {
  if (row.version === null) return TEXT.none;
  const title = h("span", { class: "soft" }, ` ${row.metric_title}`);
  if (row.now === null) {
    return [h("div", {}, row.judged === null ? TEXT.none : TEXT.judged(amount(row.judged, row.unit)), title), h("div", { class: "soft" }, TEXT.noScore)];
  }
  const [now, judged] = apart([row.now, row.judged], row.unit);
  const by = worse(row);
  const size = amount(Math.abs(row.now - row.judged), row.unit);
  const words = by > 0 ? TEXT.worseBy(size) : by < 0 ? TEXT.better(size) : TEXT.same;
  return [
    h("div", {}, h("strong", {}, now), title),
    sparkline(row),
    h("div", { class: "soft" }, `${TEXT.judged(judged)}: ${words}`),
  ];
}

function driftCell(row) {
  if (!row.drift.length) return TEXT.noDrift;
  return [heatStrip(row.drift), h("div", { class: "soft" }, TEXT.driftNow(Number(row.drift.at(-1).toPrecision(2))))];
}

function verdictCell(row) {
  if (!row.verdict) return TEXT.none;
  const gain = row.gain && TEXT.gained(TEXT.gain(...row.gain.map((value, place) => (place || value <= 0 ? "" : "+") + amount(value, row.unit))));
  return [verdictMark(row.verdict), h("div", { class: "soft" }, gain), h("div", { class: "soft" }, TEXT.ago(age(row.decided)))];
}

function nextCell(row) {
  const word = row.waits.length ? TEXT.waits(row.waits.map(TEXT.version).join(", ")) : row.next ? TEXT.next[row.next] : row.because ? TEXT.nextDone : TEXT.nextNever;
  return [h("div", {}, word), row.next && row.because && h("div", { class: "soft clamp", title: row.because }, row.because)];
}

function budgetsCell(row) {
  const { trainings, false_promotions: errors } = row;
  return [
    trainings && meter(trainings.used, trainings.limit, TEXT.trainings(trainings.used, trainings.limit, trainings.per)),
    errors && meter(errors.used, errors.limit, TEXT.errors(percent(errors.limit ? errors.used / errors.limit : 1))),
    h("div", { class: "soft" }, TEXT.spent(cost(row.cost), TEXT.runs(row.cost.runs))),
  ];
}

function cells(row, place) {
  const champion = row.version === null ? TEXT.none : [h("strong", {}, TEXT.version(row.version)), " ", h("span", { class: "soft nowrap" }, TEXT.age(age(row.since)))];
  const [span] = row.span ? shorten([row.span]) : [];
  return {
    pipeline: [h("a", { href: place.pipeline(row.pipeline), class: "title" }, row.pipeline.split(/(?<=_)/).map((part) => [part, h("wbr")])), h("div", { class: "soft" }, row.owner)],
    state: stateMark(row.state),
    champion,
    score: scoreCell(row),
    drift: driftCell(row),
    data: row.span ? [h("div", { title: row.span, class: "clamp" }, span), h("div", { class: "soft" }, TEXT.ago(age(row.seen)))] : TEXT.none,
    verdict: verdictCell(row),
    next: nextCell(row),
    budgets: budgetsCell(row),
  };
}

const WORDS = (row) => `${row.pipeline} ${row.owner} ${TEXT.states[row.state]} ${row.metric_title}`.toLowerCase();

const asCsv = (rows) => [
  ["pipeline", "owner", "state", "champion", "since", "metric", "score_now", "score_judged", "drift_by_what_matters", "newest_span", "seen", "verdict", "decided", "gain", "gain_low", "gain_high", "next", "because", "trainings_used", "trainings_limit", "false_promotions_used", "false_promotions_limit", "runs_30_days", "cpu_seconds_30_days", "money_30_days"],
  ...rows.map((row) => [row.pipeline, row.owner, row.state, row.version, row.since, row.metric_title, row.now, row.judged, row.drift.at(-1), row.span, row.seen, row.verdict, row.decided, ...(row.gain ?? ["", "", ""]), row.next, row.because, row.trainings?.used, row.trainings?.limit, row.false_promotions?.used, row.false_promotions?.limit, row.cost.runs, row.cost.cpu_seconds, row.cost.money]),
];

// Draws the page into an element; gives what ends it.
export function modelsPage(root, place) {
  const wanted = { text: "", state: "all", sort: "worst" };
  let found = null;
  const results = h("div", { "aria-live": "polite" });
  const states = h("div", { class: "chips", role: "group", "aria-label": TEXT.columns.state });
  const search = h("input", { type: "search", placeholder: TEXT.search, "aria-label": TEXT.search, oninput: (event) => ((wanted.text = event.target.value.trim().toLowerCase()), draw()) });
  const sort = h("select", { "aria-label": TEXT.sort, onchange: (event) => ((wanted.sort = event.target.value), draw()) }, Object.entries(TEXT.sorts).map(([name, text]) => h("option", { value: name }, text)));
  const tools = h("div", { class: "tools", hidden: true }, search, h("label", {}, TEXT.sort, " ", sort), csvButton(TEXT.csv, "models.csv", () => asCsv(shown())));
  root.replaceChildren(h("header", {}, h("h1", {}, TEXT.models)), tools, states, results);
  results.append(h("p", { class: "soft" }, TEXT.loading));

  const matching = () => found.boards.filter((row) => WORDS(row).includes(wanted.text));
  const shown = () => matching().filter((row) => wanted.state === "all" || row.state === wanted.state).sort(SORTS[wanted.sort]);

  function drawStates() {
    const rows = matching();
    const chip = (name, label, count) =>
      h("button", { type: "button", class: "chip", "aria-pressed": String(wanted.state === name), onclick: () => ((wanted.state = name), draw()) }, label, h("span", { class: "count" }, count));
    const present = ORDER.filter((state) => state === wanted.state || rows.some((row) => row.state === state));
    states.replaceChildren(chip("all", TEXT.all, rows.length), ...present.map((state) => chip(state, stateMark(state), rows.filter((row) => row.state === state).length)));
  }

  function draw() {
    if (!found) return;
    const { boards, without } = found;
    tools.hidden = states.hidden = !boards.length;
    if (!found.readable) return void results.replaceChildren(h("p", {}, TEXT.unreadable));
    if (!boards.length && !without.length) return void results.replaceChildren(h("h2", {}, TEXT.empty), h("p", {}, TEXT.emptyNext));
    drawStates();
    const rows = shown();
    const names = Object.keys(TEXT.columns);
    const list = h(
      "table",
      { class: "models" },
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, TEXT.columns[name])))),
      h("tbody", {}, rows.map((row) => {
        const parts = cells(row, place);
        return h("tr", { class: `is-${row.state}` }, names.map((name) => h("td", { class: `of-${name}`, "data-label": TEXT.columns[name] }, h("div", {}, parts[name]))));
      })),
    );
    const waiting = without.length > 0 && h("section", {}, h("h2", {}, TEXT.without), h("p", { class: "soft" }, TEXT.withoutNext), h("ul", { class: "without" }, without.map((name) => h("li", {}, h("strong", {}, name), " ", place.training && h("a", { href: place.training(name) }, TEXT.startTraining)))));
    results.replaceChildren(...[boards.length > 0 && (rows.length ? h("div", { class: "across" }, list) : h("p", {}, TEXT.noMatch)), waiting].filter(Boolean));
  }

  return following(place.boards, REFRESH, (answer, error) => {
    if (answer) {
      found = answer;
      draw();
    } else if (!found) {
      results.replaceChildren(h("p", { role: "alert" }, `${TEXT.failed}: ${error}.`));
    }
  });
}
