/** The chart libraries, each fetched when the first chart of its kind is seen. */

import type { LineSpec } from "./line";
import type { RichSpec } from "./rich";

type Draw<Spec> = (host: HTMLElement, spec: Spec) => () => void;

export const loadLine = async (): Promise<Draw<LineSpec>> => (await import("./line")).lineChart;
export const loadRich = async (): Promise<Draw<RichSpec>> => (await import("./rich")).richChart;
