/** The server's records by the names that the pages use; their shapes are generated. */

import type {
  AgentItem,
  Belief,
  CycleItem,
  EventItem,
  PatternItem,
  PatternsAnswer,
  StageItem,
  SystemAnswer,
  TrialItem,
} from "./wire";

export type System = SystemAnswer;
export type Condition = SystemAnswer["conditions"][number];
export type Service = SystemAnswer["services"][number];
export type Process = SystemAnswer["processes"][number];
export type StoredEvent = EventItem;
export type Pattern = PatternItem;
export type Patterns = PatternsAnswer;
export type Agent = AgentItem;
export type ArmBelief = Belief;
export type Cycle = CycleItem;
export type Stage = StageItem;
export type Trial = TrialItem;
