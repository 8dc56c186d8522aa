// The page of one pipeline: how it fares, span by span, why now, budgets and who decided.
import { csvButton, following, h, table } from "./dom.js";
import { age, amount, apart, cost, shorten, time } from "./format.js";
import { spanChart } from "./charts.js";
import { mark, meter, stateMark, verdictMark } from "./marks.js";
import { TEXT } from "./texts.js";

const REFRESH = 30;
const MOST_COLUMNS = 6;
const WORDS = TEXT.pipeline;

const last = (list) => (list.length ? list.at(-1) : null);

// What the chart needs, looked up by span.
function charted(board) {
  const spans = board.spans.map((span) => span.name);
  const of = new Map(spans.map((span) => [span, []]));
  for (const one of board.scores) of.get(one.span)?.push(one);
  const drifted = new Map();
  board.scores.forEach((one) => one.drifted.forEach((name) => drifted.set(name, (drifted.get(name) ?? new Set()).add(spans.indexOf(one.span)))));
  const columns = [...drifted].map(([name, places]) => ({ name, places: [...places] })).sort((a, b) => b.places.length - a.places.length);
  const marks = [
    ...board.runs.filter((run) => run.verdict && run.span && run.trigger !== "refit").map((run) => ({ place: spans.indexOf(run.span), kind: run.verdict })),
    ...board.journal.filter((entry) => entry.kind !== "promote" && entry.span).map((entry) => ({ place: spans.indexOf(entry.span), kind: entry.kind })),
  ].filter((one) => one.place >= 0);
  const rows = new Map();
  for (const one of marks) {
    one.row = rows.get(one.place) ?? 0;
    rows.set(one.place, Math.min(one.row + 1, 1));
  }
  const rowsOf = new Map(board.spans.map((span) => [span.name, span.rows]));
  return {
    spans,
    names: shorten(spans),
    versions: [...new Set(board.scores.map((one) => one.version))].sort((a, b) => a - b),
    scoreOf: (span, version) => of.get(span).find((one) => one.version === version && one.state === "measured"),
    driftOf: (span) => last(of.get(span))?.drift ?? null,
    rowsOf: (span) => rowsOf.get(span),
    ofSpan: (span) => of.get(span),
    columns: columns.slice(0, MOST_COLUMNS),
    marks,
    unit: board.unit,
    effect: board.effect,
  };
}

const spanRows = (board) => board.spans.flatMap((span) => {
  const ones = board.scores.filter((one) => one.span === span.name);
  return (ones.length ? ones : [null]).map((one) => [span.name, span.rows, one?.version ?? "", one?.score ?? "", one?.attainable ?? "", one?.drift ?? "", one?.drifted.join(" ") ?? ""]);
});

const SPAN_HEAD = [WORDS.span, WORDS.rows, WORDS.versionColumn, WORDS.score, WORDS.attainableColumn, WORDS.driftColumn, WORDS.drifted];

function readout(board, data, span) {
  const place = data.spans.indexOf(span);
  const ones = data.ofSpan(span);
  const marks = data.marks.filter((one) => one.place === place).map((one) => mark(one.kind, WORDS.marks[one.kind]));
  const scores = ones.map((one) => {
    if (one.score === null) return h("span", {}, `${TEXT.version(one.version)}: ${one.because}`);
    const [score, attainable] = one.attainable === null ? apart([one.score], board.unit) : apart([one.score, one.attainable], board.unit);
    return h("span", {}, `${TEXT.version(one.version)}: ${board.metric_title} ${score}`, attainable && `, ${attainable} ${WORDS.attainable}`);
  });
  const drifted = last(ones)?.drifted ?? [];
  return [
    h("strong", {}, span),
    h("span", {}, `${data.rowsOf(span).toLocaleString("en-US")} ${WORDS.rows.toLowerCase()}`),
    ...scores,
    drifted.length > 0 && h("span", {}, `${WORDS.drifted}: ${drifted.join(", ")}`),
    ...marks,
  ];
}

function spansSection(board) {
  const section = h("section", { class: "wide" }, h("h2", {}, WORDS.scores));
  if (!board.spans.length) {
    section.append(h("p", {}, WORDS.noSpans));
    return { section, resized: () => {} };
  }
  const data = charted(board);
  const legend = h(
    "div",
    { class: "legend" },
    data.versions.slice(-6).map((version) => h("span", { class: `key key${data.versions.indexOf(version) % 4}` }, WORDS.champion(version))),
    board.scores.some((one) => one.attainable !== null) && h("span", { class: "key dashed" }, WORDS.attainable),
    [...new Set(data.marks.map((one) => one.kind))].map((kind) => mark(kind, WORDS.marks[kind])),
  );
  const told = h("div", { class: "readout", "aria-live": "polite" }, h("span", { class: "soft" }, WORDS.scoresHint));
  const holder = h("div", { class: "holder" });
  const details = h("details", {}, h("summary", {}, TEXT.asTable), table(SPAN_HEAD, spanRows(board).reverse().map((row) => row.map((cell, place) => ([3, 4].includes(place) && cell !== "" ? amount(cell, board.unit, 4) : String(cell)))), { "aria-label": WORDS.scores }));
  section.append(
    h("p", { class: "soft" }, `${board.metric_title}, ${WORDS.better[board.greater_is_better]}`),
    board.scores.length ? "" : h("p", {}, WORDS.noScores),
    legend,
    holder,
    told,
    h("div", { class: "tools" }, csvButton(TEXT.csv, `${board.pipeline}_spans.csv`, () => [SPAN_HEAD, ...spanRows(board)])),
    details,
  );
  const resized = (width) => {
    const { chart } = spanChart(data, width, (span) => told.replaceChildren(...readout(board, data, span).filter(Boolean)));
    holder.replaceChildren(chart);
  };
  return { section, holder, resized };
}

function whySection(board) {
  const evaluation = board.last_evaluation;
  const states = WORDS.conditionState;
  const section = h("section", {}, h("h2", {}, WORDS.why));
  if (!evaluation) section.append(h("p", {}, WORDS.never));
  else {
    section.append(
      h("p", {}, h("strong", {}, evaluation.done ? TEXT.nextDone : TEXT.next[evaluation.decision]), ". ", evaluation.because),
      h("p", { class: "soft" }, WORDS.whyHint(TEXT.ago(age(evaluation.at)))),
    );
    const rows = evaluation.conditions.map(({ evaluated: one, holds_back: holds }) => {
      const word = holds ? (one.fired ? states.holds : states.free) : one.fired ? states.met : states.not;
      const shape = holds ? (one.fired ? "hold" : "unmeasured") : one.fired ? "well" : "unmeasured";
      return [mark(shape, word), one.condition, one.measured, one.because];
    });
    section.append(rows.length ? table([WORDS.result, WORDS.condition, WORDS.measured, WORDS.because], rows, { class: "cards", "aria-label": WORDS.why }) : h("p", {}, WORDS.noConditions));
  }
  return section;
}

function budgetsSection(board) {
  const { trainings, false_promotions: errors } = board;
  return h(
    "section",
    {},
    h("h2", {}, WORDS.budgets),
    h("dl", {},
      h("dt", {}, WORDS.trainingBudget),
      h("dd", {}, trainings ? meter(trainings.used, trainings.limit, TEXT.trainings(trainings.used, trainings.limit, trainings.per)) : WORDS.noBudget),
      errors && [h("dt", {}, WORDS.errorBudget), h("dd", {}, meter(errors.used, errors.limit, WORDS.errorBudgetSays(amount(errors.used), amount(errors.limit))))],
      h("dt", {}, WORDS.cost),
      h("dd", {}, WORDS.costSays(cost(board.cost), TEXT.runs(board.cost.runs))),
    ),
  );
}

function runsSection(board) {
  const spans = board.spans.map((span) => span.name);
  const short = new Map(shorten(spans).map((name, place) => [spans[place], name]));
  const rows = [...board.runs].reverse().map((run) => [
    h("code", {}, run.run_key.slice(0, 12)),
    h("span", { class: "nowrap" }, time(run.opened)),
    run.verdict ? h("span", {}, verdictMark(run.verdict), run.version === null ? "" : ` ${TEXT.version(run.version)}`) : WORDS.running,
    run.gain ? TEXT.gain(...[run.gain.value, run.gain.low, run.gain.high].map((value) => amount(value, board.unit))) : TEXT.none,
    run.span ? (short.get(run.span) ?? run.span) : TEXT.none,
    run.because || TEXT.none,
  ]);
  const head = [WORDS.run, `${WORDS.opened} (UTC)`, WORDS.verdict, WORDS.gain, WORDS.judgedOn, WORDS.because];
  const plain = () => [[...head, "low", "high"], ...board.runs.map((run) => [run.run_key, run.opened, run.verdict, run.gain?.value, run.span, run.because, run.gain?.low, run.gain?.high])];
  return h("section", { class: "wide" }, h("h2", {}, WORDS.runs), rows.length ? [table(head, rows, { class: "cards", "aria-label": WORDS.runs }), h("div", { class: "tools" }, csvButton(TEXT.csv, `${board.pipeline}_runs.csv`, plain))] : h("p", {}, WORDS.noRuns));
}

function decisionsSection(board) {
  const people = [
    ...board.journal.filter((entry) => !["promote", "refit"].includes(entry.kind)).map((entry) => ({ ...entry, what: entry.kind })),
    ...board.answers.map((answer) => ({ ...answer, what: answer.answer })),
  ].sort((a, b) => b.at.localeCompare(a.at));
  const rows = people.map((one) => [time(one.at), one.person || TEXT.none, WORDS.kinds[one.what](TEXT.version(one.version)), one.reason || TEXT.none]);
  return h("section", { class: "wide" }, h("h2", {}, WORDS.decisions), rows.length ? table([WORDS.when, WORDS.who, WORDS.what, WORDS.reason], rows, { class: "cards", "aria-label": WORDS.decisions }) : h("p", {}, WORDS.noDecisions));
}

function head(board, place) {
  const champion = board.champion;
  return h(
    "header",
    {},
    place.models && h("a", { href: place.models, class: "back" }, `‹ ${WORDS.allModels}`),
    h("h1", {}, board.pipeline, " ", stateMark(board.state)),
    h("p", { class: "says" }, champion && h("strong", {}, `${WORDS.champion(champion.version)} ${TEXT.age(age(champion.since))}. `), board.says),
    h("p", { class: "soft" }, WORDS.meta(board.owner, board.task, board.target, board.metric_title), " · ", h("span", {}, TEXT.updated(TEXT.ago(age(board.at))))),
    place.training && h("p", { class: "links" }, h("a", { href: place.training(board.pipeline) }, WORDS.training), h("a", { href: place.monitoring(board.pipeline) }, WORDS.monitoring)),
  );
}

// Draws the page into an element; gives what ends it.
export function pipelinePage(root, place, name) {
  let ends = () => {};
  let shown = "";
  root.replaceChildren(h("p", { class: "soft" }, TEXT.loading));
  const stop = following(place.board(name), REFRESH, (board, error) => {
    if (!board) {
      if (!shown) root.replaceChildren(h("p", { role: "alert" }, error === "404" ? TEXT.notFound : `${TEXT.failed}: ${error}.`));
      return;
    }
    const text = JSON.stringify(board);
    if (text === shown) return;
    shown = text;
    ends();
    const { section, holder, resized } = spansSection(board);
    root.replaceChildren(head(board, place), h("div", { class: "sections" }, section, whySection(board), budgetsSection(board), runsSection(board), decisionsSection(board)));
    if (!holder) return;
    let width = 0;
    const draw = () => {
      if (Math.abs(holder.clientWidth - width) < 2) return;
      width = holder.clientWidth;
      resized(Math.max(width, 260));
    };
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(holder);
    ends = () => observer.disconnect();
  });
  return () => {
    stop();
    ends();
  };
}
