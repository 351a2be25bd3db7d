/** The map of windows: bytes to points by cluster, and what a part of it holds. */

import type { HeatSpec } from "./charts/rich";
import { SLOTS, tokenOf } from "./slots";
import { text } from "./text";
import type { Matrix } from "./wire";

const POINT_BYTES = 10;
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "arrow", "roundRect", "circle"];

const STEP = 0.05;

/** A part of the map, in shares of its width and height. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};
const between = (low: number, value: number, high: number): number =>
  Math.min(high, Math.max(low, value));

/** The box after a key: arrows move it, with Shift they size it, Escape takes it away; the first
 * arrow puts one in the middle. Undefined: the key means nothing here. */
export function boxAfter(box: Box | null, key: string, isShift: boolean): Box | null | undefined {
  if (key === "Escape") return box ? null : undefined;
  const arrow = ARROWS[key];
  if (!arrow) return undefined;
  if (!box) return { x: 0.35, y: 0.35, width: 0.3, height: 0.3 };
  const [dx, dy] = arrow;
  if (isShift) {
    const width = between(STEP, box.width + dx, 1 - box.x);
    return { ...box, width, height: between(STEP, box.height + dy, 1 - box.y) };
  }
  const x = between(0, box.x + dx, 1 - box.width);
  return { ...box, x, y: between(0, box.y + dy, 1 - box.height) };
}

export interface Group {
  /** The number of the cluster; -1 is none. */
  label: number;
  name: string;
  token: string;
  symbol: string;
  /** x and y in turn. */
  points: Float32Array;
}

/** The points of each cluster, the largest eight in a colour of their own, the rest grey; what is in
 * no cluster comes first, so that it lies below. A cluster keeps its colour on every view. */
export function groupsOf(bytes: ArrayBuffer, nameOf: (label: number) => string): Group[] {
  const view = new DataView(bytes);
  const places = new Map<number, number[]>();
  for (let at = 0; at + POINT_BYTES <= bytes.byteLength; at += POINT_BYTES) {
    const label = view.getInt16(at + 8, true);
    const own = places.get(label) ?? [];
    own.push(view.getFloat32(at, true), view.getFloat32(at + 4, true));
    places.set(label, own);
  }
  return [...places.keys()]
    .sort((a, b) => a - b)
    .map((label) => ({
      label,
      name: label < 0 ? text.map.noise : nameOf(label),
      token: tokenOf(label >= 0 && label < SLOTS ? label + 1 : 0),
      symbol: (label >= 0 && SYMBOLS[label]) || "circle",
      points: Float32Array.from(places.get(label)!),
    }));
}

/** A symmetric table as a heat map; below 0, which is chance, counts as 0. */
export function matrixMap(matrix: Matrix): HeatSpec {
  const cells = matrix.values.flatMap((values, row) =>
    values.map((value, column): [number, number, number] => [column, row, Math.max(0, value)]),
  );
  return { kind: "heat", columns: matrix.names, rows: matrix.names, cells };
}
