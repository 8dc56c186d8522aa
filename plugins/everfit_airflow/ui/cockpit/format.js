// Numbers, times and names as people read them; as everfit's own pages write them.
import { TEXT } from "./texts.js";

const MINUS = "−\u2060"; // and no line break after it

function digits(value, count) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e9 || size < 1e-4) return size.toExponential(count - 1).replace("e+", "e").replace("-", MINUS);
  const decimals = Math.max(count - 1 - Math.floor(Math.log10(size)), 0);
  return size.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

export function amount(value, unit, count = 3) {
  if (value === null || value === undefined) return TEXT.none;
  const text = digits(value, count);
  const sign = value < 0 && text !== "0" ? MINUS : "";
  if (!unit) return sign + text;
  return /^\p{Sc}/u.test(unit) ? `${sign}${unit}${text}` : `${sign}${text} ${unit}`;
}

// Numbers beside each other, with so many digits that different values read differently.
export function apart(values, unit) {
  for (let count = 3; count < 8; count += 1) {
    const texts = values.map((value) => amount(value, unit, count));
    const differ = values.every((one, i) => values.every((other, j) => i >= j || one === other || texts[i] !== texts[j]));
    if (differ) return texts;
  }
  return values.map((value) => amount(value, unit, 8));
}

export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${Number((share * 100).toPrecision(3))} %`;
}

export function age(at, now = Date.now()) {
  const minutes = Math.max(Math.round((now - Date.parse(at)) / 60000), 0);
  if (minutes < 1) return "under a minute";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  if (hours < 48) return `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}

export const time = (at) => (at ? `${at.slice(0, 10)} ${at.slice(11, 16)}` : TEXT.none);

export function cost({ cpu_seconds: seconds, money }) {
  const text = (value) => String(Number(value.toPrecision(3)));
  const work = seconds < 36 ? TEXT.cpuSeconds(text(seconds)) : TEXT.cpuHours(text(seconds / 3600));
  return money ? `${work} (${money})` : work;
}

// Names without what they all begin and end with: 2026-03 for fares/2026-03.csv.
export function shorten(names) {
  if (names.length < 2) return names.map((name) => name.replace(/(\.[a-z]+)+$/, ""));
  const cut = (from) => {
    let count = 0;
    while (names.every((name) => count < name.length && from(name, count) === from(names[0], count))) count += 1;
    return count;
  };
  let front = cut((name, place) => name[place]);
  let back = cut((name, place) => name[name.length - 1 - place]);
  while (front > 0 && /[\p{L}\p{N}-]/u.test(names[0][front - 1])) front -= 1;
  while (back > 0 && /[\p{L}\p{N}-]/u.test(names[0][names[0].length - back])) back -= 1;
  return names.map((name) => name.slice(front, name.length - back) || name);
}
