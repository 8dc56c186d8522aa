// States and verdicts: a shape of its own each, always beside its word.
import { h, svg } from "./dom.js";
import { TEXT } from "./texts.js";

const SHAPES = {
  asks: () => [svg("path", { d: "M8 1 15 8 8 15 1 8Z", fill: "currentColor" })],
  broken: () => [svg("path", { d: "M3 3 13 13M13 3 3 13", stroke: "currentColor", "stroke-width": 3 })],
  worse: () => [svg("path", { d: "M1.5 3h13L8 14Z", fill: "currentColor" })],
  drifting: () => [svg("path", { d: "M1 10q3.5-8 7-2t7-2", stroke: "currentColor", "stroke-width": 2.5, fill: "none" })],
  unmeasured: () => [svg("circle", { cx: 8, cy: 8, r: 5.5, stroke: "currentColor", "stroke-width": 2, fill: "none" })],
  new: () => [
    svg("circle", { cx: 8, cy: 8, r: 5.5, stroke: "currentColor", "stroke-width": 2, fill: "none", "stroke-dasharray": "3 2.75" }),
  ],
  well: () => [svg("path", { d: "m2 8.5 4 4 8-9", stroke: "currentColor", "stroke-width": 2.5, fill: "none" })],
  promote: () => [svg("path", { d: "M8 2 14.5 13h-13Z", fill: "currentColor" })],
  refit: () => [svg("path", { d: "M8 3 13.5 12.5h-11Z", stroke: "currentColor", "stroke-width": 2, fill: "none" })],
  hold: () => [svg("path", { d: "M5 3v10M11 3v10", stroke: "currentColor", "stroke-width": 3 })],
  reject: () => [svg("path", { d: "M3 3 13 13M13 3 3 13", stroke: "currentColor", "stroke-width": 3 })],
  rollback: () => [
    svg("path", { d: "M5 2 1.5 6 5 10M2 6h8a4 4 0 0 1 0 8H6", stroke: "currentColor", "stroke-width": 2, fill: "none" }),
  ],
};
SHAPES.override = SHAPES.promote;

const shape = (name, extra = {}) =>
  svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true", class: `shape ${name}`, ...extra }, SHAPES[name]());

export const mark = (name, word) => h("span", { class: `mark ${name}` }, shape(name), h("span", {}, word));
export const stateMark = (state) => mark(state, TEXT.states[state]);
export const verdictMark = (verdict) => mark(verdict, TEXT.verdicts[verdict]);
export const shapeAt = (name, x, y) => shape(name, { x: x - 7, y: y - 7 });

export function meter(used, limit, label) {
  const share = limit > 0 ? Math.min(used / limit, 1) : 1;
  return h(
    "div",
    { class: `meter${share >= 1 ? " full" : ""}` },
    h("div", { class: "bar", "aria-hidden": "true" }, h("div", { style: `width:${(share * 100).toFixed(1)}%` })),
    h("span", {}, label),
  );
}
