/** Where the page is: path and parameters, kept in the URL and nowhere else. */

import { rangeOf, withParams, type RangeKey } from "./range";

class Place {
  path = $state(location.pathname);
  search = $state(location.search);

  get range(): RangeKey {
    return rangeOf(this.search);
  }

  param(name: string): string {
    return new URLSearchParams(this.search).get(name) ?? "";
  }

  /** Go to a page; the time range goes with it unless the address brings its own. */
  go(href: string): void {
    const target = new URL(href, location.href);
    if (!target.searchParams.has("range") && this.range !== "all") {
      target.searchParams.set("range", this.range);
    }
    history.pushState(null, "", target.pathname + target.search);
    this.read();
    scrollTo(0, 0);
  }

  /** Change parameters of this page without a new entry in the history. */
  set(changed: Record<string, string | null>): void {
    history.replaceState(null, "", withParams(this.path, this.search, changed));
    this.read();
  }

  read(): void {
    this.path = location.pathname;
    this.search = location.search;
  }
}

export const place = new Place();

/** Follow a plain click on one of our own links without loading the page again. */
export function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest?.("a");
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) {
    return;
  }
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  place.go(link.href);
}
