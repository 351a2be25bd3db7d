/** How figures, times and sizes are written; every page goes through here. */

const whole = new Intl.NumberFormat("en");
const units = ["B", "kB", "MB", "GB", "TB"] as const;
const DASH = "–";

export function count(value: number | null | undefined): string {
  return value == null ? DASH : whole.format(Math.round(value));
}

/** With so many digits after the point; a dash where there is no value. */
export function decimal(value: number | null | undefined, digits = 2): string {
  return value == null ? DASH : value.toFixed(digits);
}

export function signed(value: number | null | undefined, digits = 3): string {
  if (value == null) return DASH;
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}

export function percent(fraction: number | null | undefined, digits = 0): string {
  return fraction == null ? DASH : `${(fraction * 100).toFixed(digits)} %`;
}

/** Decimal prefixes: 1 MB is 10^6 bytes. */
export function bytes(value: number | null | undefined): string {
  if (value == null) return DASH;
  let scaled = value;
  let at = 0;
  while (Math.abs(scaled) >= 1000 && at < units.length - 1) {
    scaled /= 1000;
    at += 1;
  }
  const digits = at === 0 || scaled >= 100 ? 0 : 1;
  return `${scaled.toFixed(digits)} ${units[at]}`;
}

/** "3 h 42 min", "2 min 5 s", "1.4 s". */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null) return DASH;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  const [days, hours, minutes] = [
    Math.floor(total / 86_400),
    Math.floor((total % 86_400) / 3600),
    Math.floor((total % 3600) / 60),
  ];
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return total % 60 ? `${minutes} min ${total % 60} s` : `${minutes} min`;
}

/** Long text by its beginning; the whole stands with the single row. */
export function clipped(text: string, most = 160): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

export function moment(iso: string): string {
  return exact.format(new Date(iso));
}

export function timeOfDay(at: number | string): string {
  return clock.format(new Date(at));
}

/** The time of a moment to come, with its day if that is not today. */
export function soon(iso: string): string {
  const at = new Date(iso);
  return at.toDateString() === new Date().toDateString() ? timeOfDay(iso) : moment(iso);
}

/** "just now", "40 s ago", "3 min ago", then the day, with the year once that is another. */
export function ago(iso: string, nowMs: number): string {
  const at = new Date(iso);
  const seconds = Math.round((nowMs - at.getTime()) / 1000);
  if (seconds < -5) return moment(iso);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const isThisYear = at.getFullYear() === new Date(nowMs).getFullYear();
  return (isThisYear ? day : dayAndYear).format(at);
}

export function dayOf(at: number): string {
  return day.format(new Date(at));
}

export const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
