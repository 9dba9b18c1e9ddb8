-- The journal of one run, format 1. Any SQLite from 3.38 on can read it.
--
-- `events` is the truth. What is made from it, or beside it for people to read, says so.
-- Numbers that JSON lacks are written {"float": "nan"}, {"float": "inf"}, {"float": "-inf"}; the views show them as texts.

CREATE TABLE experiments (
    id       INTEGER PRIMARY KEY CHECK (id = 1),  -- one run a file
    name     TEXT NOT NULL,
    created  TEXT NOT NULL,     -- UTC
    format   INTEGER NOT NULL,  -- of this file, when it was created; PRAGMA user_version has today's
    trialist TEXT NOT NULL,     -- the versions that created it, and where
    python   TEXT NOT NULL,
    host     TEXT NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('open', 'closed')),  -- open and no driver lives: it was killed
    settings TEXT NOT NULL,     -- JSON
    checksum TEXT NOT NULL,     -- of the settings
    events   INTEGER NOT NULL,  -- how many rows of the journal were committed, and the last one's mark:
    mark     TEXT NOT NULL      -- without these nobody could tell that rows are missing at the end
) STRICT;

CREATE TABLE events (
    seq       INTEGER PRIMARY KEY,  -- 1, 2, 3 ...
    now       REAL NOT NULL,        -- seconds of this run
    kind      TEXT    GENERATED ALWAYS AS (json_extract(body, '$.kind')) VIRTUAL,
    trial     INTEGER GENERATED ALWAYS AS (json_extract(body, '$.trial')) VIRTUAL,
    attempt   INTEGER GENERATED ALWAYS AS (json_extract(body, '$.attempt')) VIRTUAL,
    body      TEXT NOT NULL,        -- JSON: the event
    decisions TEXT,                 -- JSON: what was decided on earlier events, a list for each that had none yet
    digest    TEXT,                 -- the experiment's, after those decisions and before this event
    mark      TEXT NOT NULL         -- checksum of this row and all before it
) STRICT;

CREATE INDEX frames ON events (trial) WHERE kind = 'Reported';

-- Made from the events, for people: a trial as it was at the last commit.
CREATE TABLE trials (
    id         INTEGER PRIMARY KEY,
    state      TEXT NOT NULL,
    outcome    TEXT,
    reason     TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    config     TEXT NOT NULL,  -- JSON
    tags       TEXT NOT NULL,  -- JSON
    metrics    TEXT NOT NULL,  -- JSON: of the last report
    checkpoint TEXT,
    error      TEXT NOT NULL,
    traceback  TEXT NOT NULL,
    started    REAL,           -- seconds of this run
    ended      REAL
) STRICT;

-- One row a report, all its metrics in a JSON object.
CREATE VIEW results AS
SELECT events.seq, events.trial, events.attempt,
       json_extract(events.body, '$.first_step') + report.key AS step,
       report.value AS time_s,
       (SELECT json_group_object(metric.key, json(CASE json_type(metric.value -> report.key)
                   WHEN 'object' THEN json_quote(metric.value -> report.key ->> 'float')
                   ELSE metric.value -> report.key END))
          FROM json_each(events.body, '$.columns') AS metric
         WHERE json_type(metric.value -> report.key) <> 'null') AS metrics
  FROM events, json_each(events.body, '$.time_s') AS report
 WHERE events.kind = 'Reported';

-- One row a number, for GROUP BY and for plots.
CREATE VIEW results_long AS
SELECT events.seq, events.trial, events.attempt,
       json_extract(events.body, '$.first_step') + report.key AS step,
       metric.key AS metric,
       CASE report.type WHEN 'object' THEN report.value ->> 'float' ELSE report.value END AS value
  FROM events, json_each(events.body, '$.columns') AS metric, json_each(metric.value) AS report
 WHERE events.kind = 'Reported' AND report.type <> 'null';
