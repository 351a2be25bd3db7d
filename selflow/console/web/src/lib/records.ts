export interface Condition { name: string; is_met: boolean | null; text: string }
export interface System {
  state: string; reasons: string[];
  ray: { state: string }; serve: { state: string };
  buffer: { events: number; new_events: number; size_bytes: number; budget_bytes: number | null; fill_fraction: number | null; conditions: Condition[] } | null;
  next_learning: { text: string };
  collection: { state: string; until: string | null };
  events_today: number; per_minute: number[];
  ingested: Record<string, number>;
  cycle: { id: string; state: string; stage: string; done_fraction: number } | null;
  behaviour: { text: string }[];
  agents: string[]; consents: string[];
  endpoints: Record<string, { url: string; listens: boolean }>;
  services: { name: string; state: string; pid: number; restarts: number; last_error: string | null }[];
  processes: { pid: number; name: string; memory_bytes: number; is_pss: boolean }[];
  versions: { selflow: string };
}
export interface StoredEvent { seq: number; ts: string; source: string; kind: string; subject: string; app: string | null; duration_s: number | null; data: Record<string, unknown> }
export interface EventPage { items: StoredEvent[]; next: string | null }
