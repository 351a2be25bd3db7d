/** The server's records by the names that the pages use; their shapes are generated. */

import type {
  ActivityItem,
  AgentItem,
  AskAnswer,
  AuditItem,
  Belief,
  CommandAnswer,
  CommandItem,
  ConsentItem,
  CycleItem,
  EventItem,
  FactItem,
  NoticeItem,
  NoticeKindItem,
  PatternItem,
  ProblemMessage,
  ResultItem,
  SettingItem,
  StageItem,
  StreamItem,
  StreamMessages,
  SystemAnswer,
  TrialItem,
} from "./wire";

export type System = SystemAnswer;
export type Condition = SystemAnswer["conditions"][number];
export type Service = SystemAnswer["services"][number];
export type Process = SystemAnswer["processes"][number];
export type StoredEvent = EventItem;
export type AskedAnswer = AskAnswer;
export type Fact = FactItem;
export type SearchResult = ResultItem;
export type Setting = SettingItem;
export type Pattern = PatternItem;
export type Agent = AgentItem;
export type ArmBelief = Belief;
export type Cycle = CycleItem;
export type Stage = StageItem;
export type Trial = TrialItem;
export type Consent = ConsentItem;
export type EventSourceCount = StreamItem;
export type Audit = AuditItem;
export type Activity = ActivityItem;
export type Notice = NoticeItem;
export type NoticeShare = NoticeKindItem;
export type Command = CommandItem;
export type CommandTaken = CommandAnswer;

/** What the stream brings of each topic, when it is no refusal. */
export type Messages = { [T in keyof StreamMessages]: Exclude<StreamMessages[T], ProblemMessage> };
export type Topic = keyof Messages;
