/** Heat maps, parallel coordinates and maps of points: the only module that imports ECharts. */

import { HeatmapChart, ParallelChart, ScatterChart } from "echarts/charts";
import {
  AriaComponent,
  BrushComponent,
  GridComponent,
  ParallelComponent,
  ToolboxComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { boxAfter, type Box } from "../pattern-map";
import { colourOf } from "../theme.svelte";

use([
  HeatmapChart, ParallelChart, ScatterChart, AriaComponent, BrushComponent, GridComponent,
  ParallelComponent, ToolboxComponent, TooltipComponent, VisualMapComponent, CanvasRenderer,
]);

const ORDERED = ["ordered-1", "ordered-2", "ordered-3", "ordered-4", "ordered-5"];
const ROW_PX = 22;
/** Drawn in one frame: the next piece of a chart that is drawn in pieces comes after its end. */
const AT_ONCE = { progressive: 0 };

export interface HeatSpec {
  kind: "heat";
  columns: string[];
  rows: string[];
  /** (column, row, share from 0 to 1); a missing cell is not drawn. */
  cells: [number, number, number][];
}

export interface ParallelSpec {
  kind: "parallel";
  axes: { name: string; isLog: boolean }[];
  lines: { values: number[]; isDashed: boolean; share: number }[];
}

export interface ScatterSpec {
  kind: "scatter";
  /** Each in a colour and a shape of its own; points as x and y in turn. */
  groups: { name: string; token: string; symbol: string; points: Float32Array }[];
  /** The points inside what was drawn around, by group; all empty when nothing is. */
  onSelect: (counts: number[]) => void;
}

export type RichSpec = HeatSpec | ParallelSpec | ScatterSpec;

/** Names come from the owner's data: the tooltip draws them as text, never as markup. */
const tooltip = { renderMode: "richText" as const, confine: true };

function heat(spec: HeatSpec): EChartsCoreOption {
  const axis = {
    type: "category",
    axisLabel: { color: colourOf("muted"), width: 180, overflow: "truncate" },
    axisLine: { lineStyle: { color: colourOf("hairline") } },
    axisTick: { show: false },
  };
  return {
    aria: { enabled: true },
    tooltip: {
      ...tooltip,
      formatter: ({ value }: { value: [number, number, number] }) =>
        `${spec.rows[value[1]]}\n${spec.columns[value[0]]}: ${value[2].toFixed(2)}`,
    },
    grid: { left: 8, right: 8, top: 8, bottom: 44, containLabel: true },
    xAxis: { ...axis, data: spec.columns, position: "top" },
    yAxis: { ...axis, data: spec.rows, inverse: true },
    visualMap: {
      min: 0, max: 1, calculable: false, orient: "horizontal", left: "center", bottom: 0,
      itemHeight: 120, text: ["1", "0"], textStyle: { color: colourOf("muted") },
      inRange: { color: ORDERED.map(colourOf) },
    },
    series: [{ ...AT_ONCE, type: "heatmap", data: spec.cells, itemStyle: { borderColor: colourOf("card"), borderWidth: 1 } }],
  };
}

function parallel(spec: ParallelSpec): EChartsCoreOption {
  return {
    aria: { enabled: true },
    parallel: { left: 60, right: 80, top: 36, bottom: 16 },
    parallelAxis: spec.axes.map((axis, dim) => ({
      dim,
      name: axis.name,
      type: axis.isLog ? "log" : "value",
      scale: true,
      nameTextStyle: { color: colourOf("muted") },
      axisLabel: { color: colourOf("muted") },
      axisLine: { lineStyle: { color: colourOf("border") } },
    })),
    series: spec.lines.map((line) => ({
      ...AT_ONCE,
      type: "parallel",
      data: [line.values],
      lineStyle: {
        width: 2,
        opacity: 0.4 + 0.6 * line.share,
        color: colourOf(line.share === 1 ? "series-1" : "series-5"),
        type: line.isDashed ? "dashed" : "solid",
      },
    })),
  };
}

function scatter(spec: ScatterSpec): EChartsCoreOption {
  const hidden = { show: false, scale: true };
  return {
    aria: { enabled: true },
    animation: false,
    toolbox: { show: false },
    brush: {
      toolbox: [], xAxisIndex: 0, throttleType: "debounce", throttleDelay: 200,
      outOfBrush: { colorAlpha: 0.15 },
      transformable: false, // else a new one that begins inside the old one moves that
    },
    grid: { left: 4, right: 4, top: 4, bottom: 4 },
    xAxis: hidden,
    yAxis: hidden,
    series: spec.groups.map((group) => ({
      ...AT_ONCE,
      type: "scatter",
      name: group.name,
      symbol: group.symbol,
      symbolSize: 6,
      silent: true,
      itemStyle: { color: colourOf(group.token), opacity: 0.7 },
      dimensions: ["x", "y"],
      data: group.points,
    })),
  };
}

interface Selection {
  batch: { selected: { seriesIndex: number; dataIndex: number[] }[] }[];
}

/** The pointer draws around points, a click outside takes it back; keys move a rectangle. */
function letSelect(chart: ReturnType<typeof init>, host: HTMLElement, spec: ScatterSpec): void {
  chart.dispatchAction({
    type: "takeGlobalCursor", key: "brush", brushOption: { brushType: "polygon", brushMode: "single" },
  });
  chart.on("brushSelected", (event) => {
    const counts = spec.groups.map(() => 0);
    for (const { seriesIndex, dataIndex } of (event as Selection).batch[0]?.selected ?? []) {
      counts[seriesIndex] = dataIndex.length;
    }
    spec.onSelect(counts);
  });
  let box: Box | null = null;
  host.tabIndex = 0;
  host.onkeydown = (event) => {
    const next = boxAfter(box, event.key, event.shiftKey);
    if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box = next;
    const at = ({ x, y }: { x: number; y: number }): number[] =>
      chart.convertFromPixel({ gridIndex: 0 }, [x * chart.getWidth(), y * chart.getHeight()]);
    const areas = [];
    if (box) {
      const [left, top] = at(box) as [number, number];
      const [right, bottom] = at({ x: box.x + box.width, y: box.y + box.height }) as [number, number];
      areas.push({ brushType: "rect", xAxisIndex: 0, coordRange: [[left, right], [bottom, top]] });
    }
    chart.dispatchAction({ type: "brush", areas });
  };
}

const optionOf = (spec: RichSpec): EChartsCoreOption => {
  if (spec.kind === "heat") return heat(spec);
  return spec.kind === "parallel" ? parallel(spec) : scatter(spec);
};

const heightOf = (spec: RichSpec): number => {
  if (spec.kind === "heat") return 90 + spec.rows.length * ROW_PX;
  return spec.kind === "parallel" ? 280 : 360;
};

/** Draws into `host` and follows its width; returns what ends it. */
export function richChart(host: HTMLElement, spec: RichSpec): () => void {
  const height = heightOf(spec);
  const chart = init(host, null, { height, renderer: "canvas" });
  chart.setOption(optionOf(spec));
  if (spec.kind === "scatter") letSelect(chart, host, spec);
  const sizes = new ResizeObserver(() => chart.resize({ width: "auto", height }));
  sizes.observe(host);
  host.dataset["ready"] = "true";
  return () => {
    sizes.disconnect();
    host.onkeydown = null;
    // A piece of a drawing that was put off to the next frame would find nothing to draw on.
    (chart.getZr().painter as unknown as { _redrawId: number })._redrawId = -1;
    chart.dispose();
  };
}
