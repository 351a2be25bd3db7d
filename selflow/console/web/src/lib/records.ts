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
  DecisionItem,
  EventItem,
  FactItem,
  GivenAnswer,
  ModelItem,
  FolderItem,
  ForgetPreview,
  NoticeItem,
  NoticeKindItem,
  PatternItem,
  ProblemMessage,
  ResultItem,
  RulesAnswer,
  RulesPreview,
  SelectionBody,
  PastRun,
  RunItem,
  SettingItem,
  SettingsAnswer,
  StageItem,
  StreamItem,
  StreamMessages,
  SystemAnswer,
  TokenItem,
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
export type SettingsAnswered = SettingsAnswer;
export type Token = TokenItem;
export type ModelEntry = ModelItem;
export type GivenAnswered = GivenAnswer;
export type Pattern = PatternItem;
export type Agent = AgentItem;
export type ArmBelief = Belief;
export type Cycle = CycleItem;
export type Stage = StageItem;
export type Trial = TrialItem;
export type Run = RunItem;
export type EarlierRun = PastRun;
export type Consent = ConsentItem;
export type EventSourceCount = StreamItem;
export type Audit = AuditItem;
export type Activity = ActivityItem;
export type Notice = NoticeItem;
export type NoticeShare = NoticeKindItem;
export type Command = CommandItem;
export type Decision = DecisionItem;
export type Folder = FolderItem;
export type Forgettable = ForgetPreview;
export type Selection = Partial<SelectionBody>;
export type RulesAnswered = RulesAnswer;
export type RulesTried = RulesPreview;
export type CommandTaken = CommandAnswer;

/** What the stream brings of each topic, when it is no refusal. */
export type Messages = { [T in keyof StreamMessages]: Exclude<StreamMessages[T], ProblemMessage> };
export type Topic = keyof Messages;
