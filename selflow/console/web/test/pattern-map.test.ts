import { describe, expect, test } from "vitest";
import { boxAfter, groupsOf, matrixMap } from "../src/lib/pattern-map";

function bytesOf(points: [number, number, number][]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(points.length * 10));
  points.forEach(([x, y, label], at) => {
    view.setFloat32(at * 10, x, true);
    view.setFloat32(at * 10 + 4, y, true);
    view.setInt16(at * 10 + 8, label, true);
  });
  return view.buffer;
}

describe("the map", () => {
  test("ten bytes are a point of a cluster", () => {
    const groups = groupsOf(bytesOf([[1, 2, 0], [3, 4, -1], [5, 6, 0]]), (label) => `p${label}`);
    expect(groups.map((group) => [group.name, [...group.points]])).toEqual([
      ["in no cluster", [3, 4]],
      ["p0", [1, 2, 5, 6]],
    ]);
  });

  test("a cluster beyond the eighth is grey", () => {
    const groups = groupsOf(bytesOf([[0, 0, 7], [0, 0, 8], [0, 0, -1]]), String);
    expect(groups.map((group) => group.token)).toEqual(["rest", "series-8", "rest"]);
  });

  test("agreement below chance is drawn as none", () => {
    const { cells } = matrixMap({ names: ["a", "b"], values: [[1, -0.1], [-0.1, 1]] });
    expect(cells).toContainEqual([1, 0, 0]);
  });

  test("keys put a rectangle on it, move it within, size it and take it away", () => {
    const first = boxAfter(null, "ArrowUp", false)!;
    expect(first).toEqual({ x: 0.35, y: 0.35, width: 0.3, height: 0.3 });
    let box = first;
    for (let n = 0; n < 40; n += 1) box = boxAfter(box, "ArrowRight", false)!;
    expect(box).toEqual({ ...first, x: 0.7 });
    for (let n = 0; n < 40; n += 1) box = boxAfter(box, "ArrowUp", true)!;
    expect(box).toEqual({ ...first, x: 0.7, height: 0.05 });
    expect(boxAfter(box, "Escape", false)).toBeNull();
    expect([boxAfter(null, "Escape", false), boxAfter(box, "g", false)]).toEqual([undefined, undefined]);
  });
});
