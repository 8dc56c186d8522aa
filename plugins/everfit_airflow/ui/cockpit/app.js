// The cockpit in Airflow: Airflow gives React, and calls a component by its plugin's name.
// The pages themselves know no React. Nothing is built: a browser loads these files as they are.
import { modelsPage } from "./models.js";
import { pipelinePage } from "./pipeline.js";
import { TEXT } from "./texts.js";

const api = new URL("../api/", import.meta.url);
const airflow = (path) => new URL(path, document.baseURI).href;
const dag = (name, kind) => airflow(`dags/${encodeURIComponent(`${name}.${kind}`)}`);

const PLACE = {
  boards: new URL("boards", api).href,
  board: (name) => new URL(`boards/${encodeURIComponent(name)}`, api).href,
  models: airflow("plugin/everfit_models"),
  pipeline: (name) => `${dag(name, "train")}/plugin/everfit_model`,
  training: (name) => dag(name, "train"),
  monitoring: (name) => dag(name, "monitor"),
};

function styled() {
  const href = new URL("cockpit.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}

// A component that lets a function draw into its element.
function component(draw) {
  const { createElement, useEffect, useRef } = globalThis.React;
  return function EverfitPage({ dagId }) {
    const root = useRef(null);
    useEffect(() => {
      styled();
      return draw(root.current, dagId);
    }, [dagId]);
    return createElement("div", { className: "everfit", ref: root });
  };
}

const model = (root, dagId) => {
  const [, name] = /^(.+)\.(?:train|monitor)$/.exec(dagId ?? "") ?? [];
  if (name) return pipelinePage(root, PLACE, name);
  root.replaceChildren(TEXT.notOurs);
  return () => {};
};

// Under the names that the plugin gives them: Airflow looks there first.
globalThis.Models = component((root) => modelsPage(root, PLACE));
globalThis.Model = component(model);
