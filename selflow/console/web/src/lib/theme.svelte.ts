/** Light, dark or the system's choice, kept on this device; and tokens as colours for the charts. */

import { untrack } from "svelte";

export type ThemeChoice = "system" | "light" | "dark";
const KEY = "selflow.theme";

const isChoice = (text: string | null): text is ThemeChoice =>
  text === "system" || text === "light" || text === "dark";

class Theme {
  choice = $state<ThemeChoice>("system");
  /** Grows with each change, so that a chart draws itself again. */
  revision = $state(0);

  start(): () => void {
    const kept = localStorage.getItem(KEY);
    untrack(() => this.choose(isChoice(kept) ? kept : "system"));
    const system = matchMedia("(prefers-color-scheme: dark)");
    const onChange = (): void => {
      this.revision += 1;
    };
    system.addEventListener("change", onChange);
    return () => system.removeEventListener("change", onChange);
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    localStorage.setItem(KEY, choice);
    if (choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = choice;
    this.revision += 1;
  }
}

export const theme = new Theme();

/** A token of tokens.css as the colour that it is now, for a canvas. */
export function colourOf(token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
