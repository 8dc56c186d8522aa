// The same pages without Airflow, as everfit ui serves them: the pipeline's name is in the hash.
import { modelsPage } from "./models.js";
import { pipelinePage } from "./pipeline.js";
import { TEXT } from "./texts.js";

const PLACE = {
  boards: new URL("../api/boards", import.meta.url).href,
  board: (name) => new URL(`../api/boards/${encodeURIComponent(name)}`, import.meta.url).href,
  models: "#",
  pipeline: (name) => `#${encodeURIComponent(name)}`,
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", follow);
follow();

let ends = () => {};
function route() {
  ends();
  const name = decodeURIComponent(location.hash.slice(1));
  const root = document.getElementById("page");
  document.title = name || TEXT.models;
  ends = name ? pipelinePage(root, PLACE, name) : modelsPage(root, PLACE);
  scrollTo(0, 0);
}
addEventListener("hashchange", route);
route();
