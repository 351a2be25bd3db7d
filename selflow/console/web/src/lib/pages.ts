/** The pages that are done, in the order of the rail. */

import type { Component } from "svelte";
import { text } from "./text";

export interface Page {
  path: string;
  title: string;
  /** After `g`, the key that goes there. */
  key: string;
  /** The rows it shows are those of the chosen time range. */
  hasRange: boolean;
  /** The path of a 20 × 20 stroked icon. */
  icon: string;
  load: () => Promise<{ default: Component }>;
}

export const PAGES: readonly Page[] = [
  {
    path: "/",
    title: text.pages.live,
    key: "l",
    hasRange: false,
    icon: "M2 10h4l2-6 4 12 2-6h4",
    load: () => import("../routes/Live.svelte"),
  },
];

export const pageAt = (path: string): Page | undefined =>
  PAGES.find((page) => page.path === path || (page.path !== "/" && path.startsWith(`${page.path}/`)));
