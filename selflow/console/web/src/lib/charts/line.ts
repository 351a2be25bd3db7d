/** Time series and curves: the only module that imports uPlot. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { dayOf, timeOfDay } from "../format";
import { colourOf } from "../theme.svelte";

export interface LineSeries {
  name: string;
  /** A token of tokens.css. */
  token: string;
  values: (number | null)[];
  isDashed?: boolean;
  /** Joined over the places where it has no value. */
  isJoined?: boolean;
  /** Known at a few places alone: with points. */
  isSparse?: boolean;
  /** Drawn as a bar from zero, for counts in bins. */
  isBar?: boolean;
}

export interface LineSpec {
  /** Seconds since 1970 if `isTime`, else plain numbers, ascending. */
  xs: number[];
  isTime: boolean;
  series: LineSeries[];
  /** Counts and shares start at zero; a loss does not. */
  startsAtZero: boolean;
  format: (value: number) => string;
}

const HEIGHT_PX = 220;

/** Days where the ticks are days apart; else the time, with the day at midnight. */
function timeTicks(_: uPlot, ticks: number[], __: number, ___: number, stepS: number): string[] {
  return ticks.map((at) => {
    const time = timeOfDay(at * 1000);
    return stepS >= 86_400 || time === "00:00" ? dayOf(at * 1000) : time;
  });
}

function options(spec: LineSpec, widthPx: number): uPlot.Options {
  const axis = {
    stroke: colourOf("muted"),
    grid: { stroke: colourOf("hairline"), width: 1 },
    ticks: { stroke: colourOf("hairline"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const bars = uPlot.paths.bars?.({ size: [0.8, 60] });
  return {
    width: widthPx,
    height: HEIGHT_PX,
    legend: { show: spec.series.length > 1, live: false },
    cursor: { y: false },
    scales: {
      x: { time: spec.isTime },
      y: spec.startsAtZero ? { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] } : {},
    },
    axes: [spec.isTime ? { ...axis, space: 80, values: timeTicks } : axis, { ...axis, size: 64, values: (_, ticks) => ticks.map((v) => spec.format(v)) }],
    series: [
      {},
      ...spec.series.map((each) => ({
        label: each.name,
        stroke: colourOf(each.token),
        width: each.isBar ? 0 : 2,
        points: { show: each.isSparse === true || spec.xs.length < 3, size: 6 },
        spanGaps: each.isJoined === true || each.isSparse === true,
        ...(each.isBar && bars ? { paths: bars, fill: colourOf(each.token) } : {}),
        ...(each.isDashed ? { dash: [6, 4] } : {}),
      })),
    ],
  };
}

const dataOf = (spec: LineSpec): uPlot.AlignedData => [
  spec.xs,
  ...spec.series.map((each) => each.values),
];

/** Draws into `host` and follows its width; returns what ends it. */
export function lineChart(host: HTMLElement, spec: LineSpec): () => void {
  const plot = new uPlot(options(spec, host.clientWidth), dataOf(spec), host);
  const sizes = new ResizeObserver(() => {
    plot.setSize({ width: host.clientWidth, height: HEIGHT_PX });
  });
  sizes.observe(host);
  host.dataset["ready"] = "true";
  return () => {
    sizes.disconnect();
    plot.destroy();
  };
}
