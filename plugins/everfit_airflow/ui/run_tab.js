// The tab of a run in Airflow: its reports, one at a time, or the lines that say why there are none.
// Airflow gives React, and calls this with the run that is open. Nothing is built.
const { createElement: h, useEffect, useState } = globalThis.React;

const TEXT = {
  empty: "No report yet",
  training:
    "Training: the data report comes with validate, the model card with evaluate, the decision report with gate.",
  monitoring: "Monitoring: its report comes with monitor, Evidently’s with drift_report.",
  none: "This run made no report",
  elsewhere:
    "Airflow’s web server cannot read this report’s store. The run in MLflow keeps a copy, under its artifacts.",
  loading: "Loading …",
  failed: "The state of this run could not be read",
  mlflow: "Open in MLflow",
  reports: "Reports of this run",
};

const base = new URL(".", import.meta.url);
const line = "var(--chakra-colors-border, #8884)";
const accent = "var(--chakra-colors-blue-fg, #2b6cb0)";
const REFRESH = 10_000;

function colourMode() {
  return document.documentElement.classList.contains("dark") ? "dark" : "light";
}

function useColourMode() {
  const [mode, setMode] = useState(colourMode);
  useEffect(() => {
    const watcher = new MutationObserver(() => setMode(colourMode()));
    watcher.observe(document.documentElement, { attributeFilter: ["class"] });
    return () => watcher.disconnect();
  }, []);
  return mode;
}

function useRun(place) {
  const [state, setState] = useState({});
  useEffect(() => {
    let open = true;
    const read = async () => {
      try {
        const reply = await fetch(place, { credentials: "same-origin" });
        if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
        const run = await reply.json();
        if (open) setState({ run });
      } catch (error) {
        if (open) setState((before) => ({ ...before, error: String(error.message ?? error) }));
      }
    };
    read();
    const timer = setInterval(() => document.hidden || read(), REFRESH);
    return () => {
      open = false;
      clearInterval(timer);
    };
  }, [place]);
  return state;
}

function Lines({ title, lines }) {
  return h(
    "section",
    { style: { padding: "1.5rem", maxWidth: "62rem", overflowWrap: "anywhere" } },
    title && h("h2", { style: { fontSize: "1.25rem", fontWeight: 600, marginBottom: ".5rem" } }, title),
    lines.map((content, place) => h("p", { key: place, style: { marginBottom: ".5rem" } }, content)),
  );
}

function Bar({ reports, shown, choose, mlflow }) {
  const style = (here) => ({
    padding: ".5rem .15rem",
    marginBottom: "-1px",
    borderBottom: `2px solid ${here ? accent : "transparent"}`,
    fontWeight: here ? 650 : 400,
    cursor: "pointer",
  });
  return h(
    "nav",
    {
      "aria-label": TEXT.reports,
      style: { display: "flex", flexWrap: "wrap", gap: "0 1.5rem", alignItems: "center", borderBottom: `1px solid ${line}`, padding: "0 1rem" },
    },
    reports.map(({ name, title }) =>
      h(
        "button",
        { key: name, type: "button", "aria-current": name === shown ? "page" : undefined, onClick: () => choose(name), style: style(name === shown) },
        title,
      ),
    ),
    /^https?:/.test(mlflow) &&
      h(
        "a",
        { href: mlflow, target: "_blank", rel: "noopener noreferrer", style: { marginLeft: "auto", padding: ".5rem 0", color: accent, textDecoration: "underline" } },
        `${TEXT.mlflow} ↗`,
      ),
  );
}

function why(run) {
  if (!run.reasons.length) return { title: TEXT.empty, lines: [TEXT.training, TEXT.monitoring] };
  return {
    title: TEXT.none,
    lines: run.reasons.map(({ task, line: said }) => [h("strong", { key: "task" }, task), ` ${said}`]),
  };
}

function Body({ run, shown, place, mode }) {
  if (!shown) {
    const decided = run.decisions.length && !run.reasons.length;
    return decided ? null : h(Lines, why(run));
  }
  if (!run.readable) return h(Lines, { lines: [TEXT.elsewhere] });
  // A page that draws itself keeps an origin of its own; any other has no scripts at all.
  const allowed = shown.drawsItself ? "allow-scripts" : "allow-same-origin";
  return h("iframe", {
    key: shown.name,
    title: shown.title,
    src: `${place}/${shown.name}?mode=${mode}`,
    sandbox: `${allowed} allow-popups allow-popups-to-escape-sandbox`,
    style: { flex: "1 1 auto", width: "100%", minHeight: "75vh", border: "none" },
  });
}

function EverfitRun({ dagId, runId }) {
  const place = new URL(`runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}`, base).href;
  const mode = useColourMode();
  const { run, error } = useRun(place);
  const [chosen, choose] = useState(null);
  if (!run) return h(Lines, { lines: [error ? `${TEXT.failed}: ${error}.` : TEXT.loading] });
  const shown = run.reports.find(({ name }) => name === chosen) ?? run.reports[0];
  return h(
    "div",
    { style: { display: "flex", flexDirection: "column", height: "100%", minHeight: "75vh" } },
    (run.reports.length > 0 || run.mlflow) &&
      h(Bar, { reports: run.reports, shown: shown?.name, choose, mlflow: run.mlflow }),
    run.decisions.map((lines, number) => h(Lines, { key: number, lines })),
    h(Body, { run, shown, place, mode }),
  );
}

globalThis.AirflowPlugin = EverfitRun;
