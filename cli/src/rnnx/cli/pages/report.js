"use strict";

const { runs, charts } = JSON.parse(document.getElementById("data").textContent);
const boxes = [...document.querySelectorAll("[data-runs]")];
const runsOf = (box) => box.dataset.runs.trim().split(" ");
const hidden = new Set();

// the table: a click on a heading sorts by it, what is best first; another click turns it round

function sort(heading) {
  const row = heading.parentElement;
  const column = [...row.cells].indexOf(heading);
  const first = heading.querySelector("button").dataset.first;
  const other = first === "ascending" ? "descending" : "ascending";
  const order = heading.ariaSort === first ? other : first;
  for (const cell of row.cells) cell.ariaSort = cell === heading ? order : "none";
  const value = (line) => line.cells[column].dataset.value;
  const compare = (a, b) => {
    if (!value(a) || !value(b)) return !value(a) - !value(b);
    const difference = column ? value(a) - value(b) : value(a).localeCompare(value(b));
    return order === "ascending" ? difference : -difference;
  };
  const body = row.closest("table").tBodies[0];
  body.append(...[...body.rows].sort(compare));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}

// the charts: in the colours of the page, whatever they are

function colours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

function lines(chart) {
  const colour = colours();
  return chart.lines.map(({ run, x, y }) => ({
    x, y,
    name: runs[run].label.replaceAll("<", "&lt;"),
    mode: x.length > 1 ? "lines" : "markers",
    line: { color: colour(`line-${runs[run].colour}`), dash: runs[run].dash, width: 1.75 },
    visible: !hidden.has(run),
    hovertemplate: "%{y:.4g}",
  }));
}

function layout(chart) {
  const colour = colours();
  const axis = {
    color: colour("soft"), gridcolor: colour("rule"), linecolor: colour("soft"), zeroline: false,
    showline: true, automargin: true, title: { standoff: 6 },
  };
  return {
    paper_bgcolor: colour("paper"),
    plot_bgcolor: colour("paper"),
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
    margin: { l: 44, r: 8, t: 8, b: 40 },
    showlegend: false,
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("shade"), bordercolor: colour("rule"), font: { color: colour("ink") } },
    xaxis: { ...axis, title: { ...axis.title, text: chart.x } },
    yaxis: {
      ...axis,
      title: { ...axis.title, text: chart.y },
      type: chart.deep ? "log" : "linear",
      exponentformat: chart.deep ? "power" : "SI",
      nticks: 6,
    },
  };
}

function draw() {
  const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  for (const [key, chart] of Object.entries(charts)) {
    Plotly.react(key, lines(chart), layout(chart), options);
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

function forPrint() {
  draw();
  for (const key of Object.keys(charts)) Plotly.Plots.resize(key);
}

addEventListener("beforeprint", forPrint);
addEventListener("afterprint", forPrint);

// the runs: a box shows and hides them in all charts and among all samples

function update() {
  for (const box of boxes) {
    const shown = runsOf(box).filter((run) => !hidden.has(run)).length;
    box.checked = shown > 0;
    box.indeterminate = shown > 0 && shown < runsOf(box).length;
  }
  for (const part of document.querySelectorAll("[data-run]")) part.hidden = hidden.has(part.dataset.run);
  for (const [key, chart] of Object.entries(charts)) {
    Plotly.restyle(key, { visible: chart.lines.map(({ run }) => !hidden.has(run)) });
  }
}

for (const box of boxes) {
  box.addEventListener("change", () => {
    for (const run of runsOf(box)) box.checked ? hidden.delete(run) : hidden.add(run);
    update();
  });
}
