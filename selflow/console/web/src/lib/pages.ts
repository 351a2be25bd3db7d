/** The pages that are done, in the order of the rail. */

import type { Component } from "svelte";
import type { Topic } from "./records";
import { text } from "./text";

export interface Page {
  path: string;
  title: string;
  /** After `g`, the key that goes there. */
  key: string;
  /** The rows it shows are those of the chosen time range. */
  hasRange: boolean;
  /** What it follows of the stream beside the state. */
  topics: readonly Topic[];
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
    topics: [],
    icon: "M2 10h4l2-6 4 12 2-6h4",
    load: () => import("../routes/Live.svelte"),
  },
  {
    path: "/activity",
    title: text.pages.activity,
    key: "a",
    hasRange: true,
    topics: [],
    icon: "M3 17V9m5 8V4m5 13v-6m4 6V7",
    load: () => import("../routes/Activity.svelte"),
  },
  {
    path: "/patterns",
    title: text.pages.patterns,
    key: "p",
    hasRange: false,
    topics: ["patterns"],
    icon: "M6 6h.01M14 5h.01M5 14h.01M13 13h.01M10 9h.01M3 3h14v14H3z",
    load: () => import("../routes/Patterns.svelte"),
  },
  {
    path: "/ask",
    title: text.pages.ask,
    key: "q",
    hasRange: true,
    topics: [],
    icon: "M3 4h14v10H9l-4 3v-3H3zM8 8a2 2 0 1 1 2 2v1M10 12.5h.01",
    load: () => import("../routes/Ask.svelte"),
  },
  {
    path: "/training",
    title: text.pages.training,
    key: "t",
    hasRange: false,
    topics: ["runs", "patterns", "agents"],
    icon: "M4 16l4-5 3 3 5-8M4 4v12h13",
    load: () => import("../routes/Training.svelte"),
  },
  {
    path: "/agents",
    title: text.pages.agents,
    key: "b",
    hasRange: false,
    topics: ["agents"],
    icon: "M10 3v3M5 8h10v8H5zM8 12h.01M12 12h.01",
    load: () => import("../routes/Agents.svelte"),
  },
  {
    path: "/privacy",
    title: text.pages.privacy,
    key: "d",
    hasRange: true,
    topics: ["runs"],
    icon: "M10 2l7 3v5c0 4-3 7-7 8-4-1-7-4-7-8V5z",
    load: () => import("../routes/Privacy.svelte"),
  },
  {
    path: "/models",
    title: text.pages.models,
    key: "m",
    hasRange: false,
    topics: ["agents"],
    icon: "M10 2l7 4v8l-7 4-7-4V6zM3 6l7 4 7-4M10 10v8",
    load: () => import("../routes/Models.svelte"),
  },
  {
    path: "/settings",
    title: text.pages.settings,
    key: "s",
    hasRange: false,
    topics: [],
    icon: "M3 6h8m4 0h2M11 4v4M3 14h2m4 0h8M7 12v4",
    load: () => import("../routes/Settings.svelte"),
  },
];

export const pageAt = (path: string): Page | undefined =>
  PAGES.find((page) => page.path === path || (page.path !== "/" && path.startsWith(`${page.path}/`)));
