/** Single keys: each has a visible twin, and all can be switched off. */

import { PAGES } from "./pages";
import { place } from "./place.svelte";

const KEY = "selflow.keys";
const SECOND_KEY_MS = 1500;

interface Acts {
  palette: () => void;
  help: () => void;
  pause: () => void;
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

export class Keyboard {
  isOn = $state(localStorage.getItem(KEY) !== "off");
  #goAtMs = -Infinity;

  constructor(readonly acts: Acts) {}

  turn(isOn: boolean): void {
    this.isOn = isOn;
    localStorage.setItem(KEY, isOn ? "on" : "off");
  }

  readonly press = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      this.acts.palette();
      return;
    }
    const isChord = event.ctrlKey || event.metaKey || event.altKey;
    if (!this.isOn || isChord || isTyping(event.target)) return;
    if (event.timeStamp - this.#goAtMs < SECOND_KEY_MS) {
      this.#goAtMs = -Infinity;
      const page = PAGES.find((each) => each.key === event.key);
      if (page) place.go(page.path);
    } else if (event.key === "g") {
      this.#goAtMs = event.timeStamp;
    } else if (event.key === "/") {
      event.preventDefault();
      const field = document.querySelector<HTMLElement>("[data-slash]");
      if (field) field.focus();
      else this.acts.palette();
    } else if (event.key === "?") {
      this.acts.help();
    } else if (event.key === ".") {
      this.acts.pause();
    }
  };
}
