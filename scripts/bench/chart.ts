// Wall times as bars, in SVG: plain shapes and text that read on light and dark pages.
import type { Results } from "./results.ts";
import { ROWS } from "./rows.ts";

const COLOURS = ["#2f7dd1", "#e0803a", "#8c8c8c", "#3a9d6e", "#a05fc4", "#c4a23a"];
const PANEL_WIDTH = 460;
const LABEL_WIDTH = 60;
/** Room for the figure at a bar's end. */
const FIGURE_WIDTH = 60;
const BAR_HEIGHT = 11;
const ROW_GAP = 10;
const HEADER = 62;
const BUNDLES = ["minimal", "docker"];

export function drawChart({ runtimes, bundles, cost }: Results): string {
  const shown = bundles.filter(({ name }) => BUNDLES.includes(name));
  const longest = Math.max(
    ...shown.flatMap(({ name }) =>
      ROWS.flatMap((row) => runtimes.map((runtime) => cost(name, row, runtime).wall)),
    ),
  );
  const scale = (PANEL_WIDTH - LABEL_WIDTH - FIGURE_WIDTH) / longest;
  const rowHeight = runtimes.length * BAR_HEIGHT + ROW_GAP;
  const height = HEADER + ROWS.length * rowHeight;
  const width = shown.length * PANEL_WIDTH;
  const parts = shown.flatMap(({ name, title }, panel) => {
    const left = panel * PANEL_WIDTH;
    const bars = ROWS.flatMap((row, i) => {
      const top = HEADER + i * rowHeight;
      const middle = top + (runtimes.length * BAR_HEIGHT) / 2 + 4;
      return [
        text(left + LABEL_WIDTH - 6, middle, row, 'text-anchor="end"'),
        ...runtimes.flatMap((runtime, j) => {
          const { wall } = cost(name, row, runtime);
          const y = top + j * BAR_HEIGHT;
          const x = left + LABEL_WIDTH;
          return [
            `<rect x="${x}" y="${y}" width="${(wall * scale).toFixed(1)}" height="${BAR_HEIGHT - 2}" fill="${colour(j)}"/>`,
            text(x + wall * scale + 4, y + BAR_HEIGHT - 3, wall.toFixed(1), 'class="figure"'),
          ];
        }),
      ];
    });
    return [text(left + LABEL_WIDTH, 50, title.replace(/ \(.*/, "")), ...bars];
  });
  const legend = runtimes.flatMap(({ label }, i) => {
    const x = LABEL_WIDTH + i * 130;
    return [`<rect x="${x}" y="14" width="12" height="12" fill="${colour(i)}"/>`, text(x + 18, 24, label)];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    "<title>Wall time of each command in milliseconds, shorter is better</title>",
    "<style>text{font:12px sans-serif;fill:#24292f}.figure{font-size:9px}@media(prefers-color-scheme:dark){text{fill:#e6edf3}}</style>",
    ...legend,
    text(width - 10, 24, "milliseconds, shorter is better", 'text-anchor="end"'),
    ...parts,
    "</svg>",
  ].join("\n")}\n`;
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes && ` ${attributes}`}>${escaped}</text>`;
}
