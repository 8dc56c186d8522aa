// Elements with text that is never read as HTML.
const SVG = "http://www.w3.org/2000/svg";

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, attributes, ...children) => made(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => made(document.createElementNS(SVG, tag), attributes, children);

// A chart's values as CSV; a cell that a spreadsheet would run is given as text.
export function csv(rows) {
  const cell = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

export function csvButton(label, name, rows) {
  const save = () => {
    const address = URL.createObjectURL(new Blob([csv(rows())], { type: "text/csv" }));
    const link = h("a", { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };
  return h("button", { type: "button", class: "quiet", onclick: save }, label);
}

export function table(head, rows, attributes = {}) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": attributes["aria-label"] },
    h(
      "table",
      attributes,
      h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, place) => h("td", { "data-label": head[place] }, cell))))),
    ),
  );
}

// Reads a JSON address now and then, and calls with what it found or the error.
export function following(address, seconds, tell) {
  let open = true;
  const read = async () => {
    try {
      const reply = await fetch(address, { credentials: "same-origin" });
      if (!open) return;
      if (reply.status === 404) tell(null, "404");
      else if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
      else tell(await reply.json(), null);
    } catch (error) {
      if (open) tell(null, String(error.message ?? error));
    }
  };
  read();
  const timer = setInterval(() => document.hidden || read(), seconds * 1000);
  return () => {
    open = false;
    clearInterval(timer);
  };
}
