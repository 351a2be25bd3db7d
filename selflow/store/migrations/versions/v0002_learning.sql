ALTER TABLE decisions ADD COLUMN routing JSON;
CREATE TABLE cycles (
  id VARCHAR NOT NULL,
  "trigger" VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  requested_at_us BIGINT NOT NULL,
  started_at_us BIGINT,
  finished_at_us BIGINT,
  upto_seq BIGINT,
  attempts BIGINT NOT NULL,
  stage VARCHAR NOT NULL,
  done_fraction FLOAT NOT NULL,
  error VARCHAR NOT NULL,
  CONSTRAINT pk_cycles PRIMARY KEY (id)
);
CREATE TABLE stages (
  cycle_id VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  started_at_us BIGINT NOT NULL,
  finished_at_us BIGINT,
  sha256 VARCHAR,
  result JSON NOT NULL,
  CONSTRAINT pk_stages PRIMARY KEY (cycle_id, name),
  CONSTRAINT fk_stages_cycle_id FOREIGN KEY (cycle_id) REFERENCES cycles (id),
  CONSTRAINT fk_stages_sha256 FOREIGN KEY (sha256) REFERENCES artifacts (sha256)
);
CREATE TABLE patterns (
  id VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  cycle_id VARCHAR NOT NULL,
  created_at_us BIGINT NOT NULL,
  windows BIGINT NOT NULL,
  events BIGINT NOT NULL,
  share FLOAT NOT NULL,
  agreement FLOAT,
  terms JSON NOT NULL,
  hours JSON NOT NULL,
  medoids JSON NOT NULL,
  CONSTRAINT pk_patterns PRIMARY KEY (id),
  CONSTRAINT uq_patterns_name UNIQUE (name),
  CONSTRAINT fk_patterns_cycle_id FOREIGN KEY (cycle_id) REFERENCES cycles (id)
);
CREATE TABLE bases (
  sha256 VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  cycle_id VARCHAR NOT NULL,
  created_at_us BIGINT NOT NULL,
  is_current BOOLEAN NOT NULL,
  CONSTRAINT pk_bases PRIMARY KEY (sha256),
  CONSTRAINT fk_bases_sha256 FOREIGN KEY (sha256) REFERENCES artifacts (sha256),
  CONSTRAINT fk_bases_cycle_id FOREIGN KEY (cycle_id) REFERENCES cycles (id)
);
CREATE UNIQUE INDEX uq_bases_current ON bases (is_current) WHERE is_current;
CREATE TABLE trials (
  id VARCHAR NOT NULL,
  cycle_id VARCHAR NOT NULL,
  agent VARCHAR NOT NULL,
  config JSON NOT NULL,
  state VARCHAR NOT NULL,
  tune_bits FLOAT,
  seconds FLOAT NOT NULL,
  error VARCHAR NOT NULL,
  CONSTRAINT pk_trials PRIMARY KEY (id),
  CONSTRAINT fk_trials_cycle_id FOREIGN KEY (cycle_id) REFERENCES cycles (id)
);
CREATE TABLE gate_ledger (
  gate_set VARCHAR NOT NULL,
  opening BIGINT NOT NULL,
  candidate VARCHAR NOT NULL,
  cycle_id VARCHAR NOT NULL,
  first_us BIGINT NOT NULL,
  last_us BIGINT NOT NULL,
  at_us BIGINT NOT NULL,
  CONSTRAINT pk_gate_ledger PRIMARY KEY (gate_set, opening),
  CONSTRAINT fk_gate_ledger_cycle_id FOREIGN KEY (cycle_id) REFERENCES cycles (id)
);
CREATE TABLE agent_versions (
  id VARCHAR NOT NULL,
  agent VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  sha256 VARCHAR NOT NULL,
  base_sha256 VARCHAR NOT NULL,
  pattern_id VARCHAR NOT NULL,
  cycle_id VARCHAR NOT NULL,
  status VARCHAR NOT NULL,
  verdict_id VARCHAR NOT NULL,
  created_at_us BIGINT NOT NULL,
  previous_id VARCHAR,
  CONSTRAINT pk_agent_versions PRIMARY KEY (id),
  CONSTRAINT fk_agent_versions_sha256 FOREIGN KEY (sha256) REFERENCES artifacts (sha256),
  CONSTRAINT fk_agent_versions_pattern_id FOREIGN KEY (pattern_id) REFERENCES patterns (id),
  CONSTRAINT fk_agent_versions_cycle_id FOREIGN KEY (cycle_id) REFERENCES cycles (id),
  CONSTRAINT fk_agent_versions_previous_id FOREIGN KEY (previous_id) REFERENCES agent_versions (id)
);
CREATE UNIQUE INDEX uq_agent_versions_champion ON agent_versions (agent) WHERE status = 'champion';
CREATE TABLE verdicts (
  decision VARCHAR NOT NULL,
  reasons JSON NOT NULL,
  numbers JSON NOT NULL,
  gate_set VARCHAR,
  opening BIGINT,
  alpha FLOAT,
  id VARCHAR NOT NULL,
  version_id VARCHAR NOT NULL,
  cycle_id VARCHAR NOT NULL,
  at_us BIGINT NOT NULL,
  CONSTRAINT pk_verdicts PRIMARY KEY (id),
  CONSTRAINT uq_verdicts_gate_set UNIQUE (gate_set, opening),
  CONSTRAINT fk_verdicts_gate_set FOREIGN KEY (gate_set, opening) REFERENCES gate_ledger (gate_set, opening),
  CONSTRAINT fk_verdicts_version_id FOREIGN KEY (version_id) REFERENCES agent_versions (id),
  CONSTRAINT fk_verdicts_cycle_id FOREIGN KEY (cycle_id) REFERENCES cycles (id)
);
CREATE TABLE routing (
  number BIGINT NOT NULL,
  beliefs JSON NOT NULL,
  feedback_number BIGINT NOT NULL,
  at_us BIGINT NOT NULL,
  id BIGINT NOT NULL,
  CONSTRAINT pk_routing PRIMARY KEY (id)
);
