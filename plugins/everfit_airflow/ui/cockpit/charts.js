// The small pictures of a row, and the large one of a pipeline. Native SVG on CSS variables.
import { svg } from "./dom.js";
import { amount } from "./format.js";
import { shapeAt } from "./marks.js";
import { TEXT } from "./texts.js";

// Points as paths that break where a score is missing.
function lines(points, x, y) {
  const parts = [[]];
  points.forEach((value, place) => {
    if (value === null) parts.push([]);
    else parts.at(-1).push(`${x(place).toFixed(1)} ${y(value).toFixed(1)}`);
  });
  return parts.filter((part) => part.length).map((part) => `M${part.join("L")}`);
}

function scale(low, high, from, to) {
  const range = high - low || Math.abs(high) || 1;
  return (value) => from + ((value - (high === low ? low - range / 2 : low)) / range) * (to - from);
}

export function sparkline(row) {
  const scored = row.points.map(([score]) => score).filter((score) => score !== null);
  if (!scored.length) return null;
  const width = 100;
  const height = 28;
  const all = row.judged === null ? scored : [...scored, row.judged];
  const y = scale(Math.min(...all), Math.max(...all), height - 5, 5);
  const x = (place) => (row.points.length < 2 ? width / 2 : 5 + (place * (width - 10)) / (row.points.length - 1));
  const [first, last] = [scored[0], scored.at(-1)].map((score) => amount(score, row.unit));
  const label = scored.length < 2 ? TEXT.oneScore(last) : TEXT.sparkline(scored.length, first, last);
  const promotions = row.points.flatMap(([, version], place) => (place && version !== row.points[place - 1][1] ? [place] : []));
  const end = row.points.findLastIndex(([score]) => score !== null);
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, class: "spark" },
    row.judged !== null && svg("path", { d: `M0 ${y(row.judged)}H${width}`, class: "yardstick" }),
    promotions.map((place) => svg("path", { d: `M${x(place)} 1V${height - 1}`, class: "promotion" })),
    lines(row.points.map(([score]) => score), x, y).map((d) => svg("path", { d, class: "line" })),
    svg("circle", { cx: x(end), cy: y(row.points[end][0]), r: 3, class: "dot" }),
  );
}

// Times what matters → one of five steps: its height says it too, so that colour is never alone.
export const step = (times) => (times <= 0 ? 0 : times < 0.5 ? 1 : times < 1 ? 2 : times < 2 ? 3 : 4);

export function heatStrip(drift) {
  if (!drift.length) return null;
  const width = 4;
  const height = 20;
  const beyond = drift.filter((times) => times >= 1).length;
  return svg(
    "svg",
    {
      viewBox: `0 0 ${drift.length * width} ${height}`,
      width: drift.length * width,
      height,
      role: "img",
      "aria-label": TEXT.strip(drift.length, beyond),
      class: "strip",
    },
    drift.map((times, place) => {
      const size = [2, 6, 10, 15, 20][step(times)];
      return svg("rect", { x: place * width, y: height - size, width: width - 1, height: size, class: `heat heat${step(times)}` });
    }),
  );
}

function ticks(low, high) {
  const rough = (high - low) / 4 || Math.abs(high) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const found = [];
  for (let tick = Math.ceil(low / size) * size; tick <= high + size * 1e-9; tick += size) found.push(Number(tick.toPrecision(12)));
  return found;
}

const LEFT = 76;
const RIGHT = 14;

// Score of every champion, attainable loss, drift and rows, span by span on one axis.
export function spanChart(data, width, tell) {
  const { spans, names, versions, scoreOf, driftOf, rowsOf, columns, marks, unit, effect } = data;
  const inner = Math.max(width - LEFT - RIGHT, 60);
  const pitch = inner / spans.length;
  const x = (place) => LEFT + pitch * (place + 0.5);
  const scoreTop = 30;
  const scoreBottom = 210;
  const values = versions.flatMap((version) => spans.flatMap((span) => {
    const one = scoreOf(span, version);
    return one ? [one.score, one.attainable].filter((value) => value !== null) : [];
  }));
  const hasScores = values.length > 0;
  const [low, high] = hasScores ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const padding = (high - low) * 0.08 || Math.abs(high) * 0.05 || 0.5;
  const y = scale(low - padding, high + padding, scoreBottom, scoreTop);
  const parts = [];
  if (hasScores) {
    for (const tick of ticks(low - padding, high + padding)) {
      parts.push(svg("path", { d: `M${LEFT} ${y(tick)}H${width - RIGHT}`, class: "grid" }));
      parts.push(svg("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, amount(tick, unit)));
    }
    versions.forEach((version, number) => {
      const of = (name) => spans.map((span) => scoreOf(span, version)?.[name] ?? null);
      parts.push(lines(of("attainable"), x, y).map((d) => svg("path", { d, class: "attainable" })));
      const scores = of("score");
      const first = scores.findIndex((value) => value !== null);
      parts.push(lines(scores, x, y).map((d) => svg("path", { d, class: `line line${number % 4}` })));
      scores.forEach((value, place) => {
        if (value !== null) parts.push(svg("circle", { cx: x(place), cy: y(value), r: 3, class: `dot dot${number % 4}` }));
      });
      if (first >= 0) {
        parts.push(svg("text", { x: x(first) + 5, y: y(scores[first]) - 7, class: "name" }, TEXT.version(version)));
      }
    });
  }
  for (const { place, kind, row } of marks) {
    parts.push(svg("path", { d: `M${x(place)} ${scoreTop - 8}V${scoreBottom}`, class: "promotion" }));
    parts.push(shapeAt(kind, x(place), 12 + row * 14));
  }
  // Drift: the largest of a span, and the columns that drifted.
  let top = scoreBottom + 22;
  const cell = 16;
  const label = (text, at) => svg("text", { x: LEFT - 8, y: at + 12, "text-anchor": "end" }, text.length > 9 ? `${text.slice(0, 8)}…` : text, svg("title", {}, text));
  parts.push(label(TEXT.columns.drift, top));
  spans.forEach((span, place) => {
    const drift = driftOf(span);
    if (drift === null) return;
    const size = [2, 5, 8, 12, 16][step(drift / effect)];
    parts.push(
      svg("rect", { x: LEFT + pitch * place + 0.5, y: top + cell - size, width: Math.max(pitch - 1, 1), height: size, class: `heat heat${step(drift / effect)}` }),
    );
  });
  top += cell + 4;
  for (const column of columns) {
    parts.push(label(column.name, top));
    for (const place of column.places) {
      parts.push(svg("rect", { x: LEFT + pitch * place + 0.5, y: top, width: Math.max(pitch - 1, 1), height: cell - 2, class: "heat heat3" }));
    }
    top += cell;
  }
  // Volume.
  top += 10;
  const most = Math.max(...spans.map(rowsOf), 1);
  parts.push(label(TEXT.pipeline.rows, top + 12));
  spans.forEach((span, place) => {
    const size = (rowsOf(span) / most) * 36;
    parts.push(svg("rect", { x: LEFT + pitch * place + 0.5, y: top + 36 - size, width: Math.max(pitch - 1, 1), height: size, class: "volume" }));
  });
  parts.push(svg("text", { x: LEFT - 8, y: top + 38, "text-anchor": "end", class: "soft" }, most >= 1000 ? `${Number((most / 1000).toPrecision(3))}k` : String(most)));
  top += 40;
  const every = Math.max(Math.ceil(spans.length / Math.max(Math.floor(inner / 84), 1)), 1);
  names.forEach((name, place) => {
    if (place % every) return;
    const text = name.length > 12 ? `${name.slice(0, 11)}…` : name;
    const anchor = x(place) + 34 > width ? "end" : x(place) - 34 < LEFT ? "start" : "middle";
    const at = anchor === "start" ? LEFT : anchor === "end" ? width - RIGHT : x(place);
    parts.push(svg("text", { x: at, y: top + 14, "text-anchor": anchor }, text));
  });
  const bottom = top + 22;
  const cursor = svg("rect", { y: scoreTop - 10, height: top - scoreTop + 10, width: Math.max(pitch, 1), class: "cursor", visibility: "hidden" });
  const chart = svg(
    "svg",
    { viewBox: `0 0 ${width} ${bottom}`, width, height: bottom, class: "spans", role: "img", tabindex: 0, "aria-label": TEXT.pipeline.scores },
    cursor,
    parts.flat(),
  );
  let here = -1;
  const choose = (place) => {
    here = Math.min(Math.max(place, 0), spans.length - 1);
    cursor.setAttribute("x", LEFT + pitch * here);
    cursor.setAttribute("visibility", "visible");
    tell(spans[here]);
  };
  const at = (event) => choose(Math.floor(((event.clientX - chart.getBoundingClientRect().left) * (width / chart.getBoundingClientRect().width) - LEFT) / pitch));
  chart.addEventListener("pointermove", at);
  chart.addEventListener("pointerdown", at);
  chart.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    choose(here < 0 ? spans.length - 1 : here + move);
  });
  return { chart, choose };
}
