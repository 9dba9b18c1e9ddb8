-- The journal of one run, format 2. Any SQLite from 3.38 on can read it.
--
-- `events` is the truth. What is made from it, or beside it for people to read, says so.
-- Numbers that JSON lacks are written {"float": "nan"}, {"float": "inf"}, {"float": "-inf"}; the views show them as strings.

CREATE TABLE experiments (
    id       INTEGER PRIMARY KEY CHECK (id = 1),  -- one run a file
    run      INTEGER NOT NULL,  -- a random number; the lower half of application_id in the file's head is the same
    name     TEXT NOT NULL,
    created  TEXT NOT NULL,     -- UTC
    format   INTEGER NOT NULL,  -- of this file, when it was created; PRAGMA user_version has today's
    version  TEXT NOT NULL,     -- of Trialwright, which created it; and of Python, and where
    python   TEXT NOT NULL,
    host     TEXT NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('open', 'closed')),  -- open and no driver lives: it was killed
    settings TEXT NOT NULL,     -- JSON
    checksum TEXT NOT NULL,     -- of the settings
    events   INTEGER NOT NULL,  -- how many rows of the journal were committed, and the last one's mark:
    mark     TEXT NOT NULL      -- without these, rows that are missing at the end would not be noticed
) STRICT;

-- A line is the JSON array [now, event, decisions, digest]. All lines in order, each with a newline, have the digest of
-- the run: sqlite3 journal.sqlite 'SELECT line FROM events ORDER BY seq' | sha256sum
CREATE TABLE events (
    seq       INTEGER PRIMARY KEY,  -- 1, 2, 3 ...
    mark      TEXT NOT NULL,        -- checksum of this line and all before it
    now       REAL    GENERATED ALWAYS AS (line ->> 0) VIRTUAL,  -- seconds of this run
    kind      TEXT    GENERATED ALWAYS AS (line ->> '$[1].kind') VIRTUAL,
    trial     INTEGER GENERATED ALWAYS AS (line ->> '$[1].trial') VIRTUAL,
    attempt   INTEGER GENERATED ALWAYS AS (line ->> '$[1].attempt') VIRTUAL,
    body      TEXT    GENERATED ALWAYS AS (line -> 1) VIRTUAL,  -- JSON: the event
    decisions TEXT    GENERATED ALWAYS AS (nullif(line -> 2, 'null')) VIRTUAL,  -- JSON: what was decided on this event;
                                                                 -- of a row of kind Decided, on earlier ones without
    digest    TEXT    GENERATED ALWAYS AS (line ->> 3) VIRTUAL,  -- the experiment's, after these
    line      TEXT NOT NULL
) STRICT;

CREATE INDEX frames ON events (trial) WHERE kind = 'Reported';

-- Made from the events, for people: a trial as it was at the last commit.
CREATE TABLE trials (
    id         INTEGER PRIMARY KEY,
    state      TEXT    GENERATED ALWAYS AS (line ->> 1) VIRTUAL,
    outcome    TEXT    GENERATED ALWAYS AS (line ->> 2) VIRTUAL,
    reason     TEXT    GENERATED ALWAYS AS (line ->> 3) VIRTUAL,
    attempt    INTEGER GENERATED ALWAYS AS (line ->> 4) VIRTUAL,
    step       INTEGER GENERATED ALWAYS AS (line ->> 5) VIRTUAL,
    config     TEXT    GENERATED ALWAYS AS (line -> 6) VIRTUAL,  -- JSON
    tags       TEXT    GENERATED ALWAYS AS (line -> 7) VIRTUAL,  -- JSON
    metrics    TEXT    GENERATED ALWAYS AS (line -> 8) VIRTUAL,  -- JSON: of the last report
    checkpoint TEXT    GENERATED ALWAYS AS (line ->> 9) VIRTUAL,
    error      TEXT    GENERATED ALWAYS AS (line ->> 10) VIRTUAL,
    traceback  TEXT    GENERATED ALWAYS AS (line ->> 11) VIRTUAL,
    started    REAL    GENERATED ALWAYS AS (line ->> 12) VIRTUAL,  -- seconds of this run
    ended      REAL    GENERATED ALWAYS AS (line ->> 13) VIRTUAL,
    worker     TEXT    GENERATED ALWAYS AS (line ->> 14) VIRTUAL,  -- that began its latest attempt
    best       TEXT    GENERATED ALWAYS AS (nullif(line -> 15, 'null')) VIRTUAL,  -- JSON: the best value, and its step
    best_checkpoint TEXT GENERATED ALWAYS AS (line ->> 16) VIRTUAL,
    mark       TEXT NOT NULL,  -- checksum of the line
    line       TEXT NOT NULL  -- a JSON array of all of these, id first
) STRICT;

-- One row a report, all its metrics in a JSON object.
CREATE VIEW results AS
SELECT events.seq, events.trial, events.attempt,
       (events.line ->> '$[1].first_step') + report.key AS step,
       report.value AS time_s,
       (SELECT json_group_object(metric.key, json(CASE json_type(metric.value -> report.key)
                   WHEN 'object' THEN json_quote(metric.value -> report.key ->> 'float')
                   ELSE metric.value -> report.key END))
          FROM json_each(events.line, '$[1].columns') AS metric
         WHERE json_type(metric.value -> report.key) <> 'null') AS metrics
  FROM events, json_each(events.line, '$[1].time_s') AS report
 WHERE events.kind = 'Reported';

-- One row a number, for GROUP BY and for plots.
CREATE VIEW results_long AS
SELECT events.seq, events.trial, events.attempt,
       (events.line ->> '$[1].first_step') + report.key AS step,
       metric.key AS metric,
       CASE report.type WHEN 'object' THEN report.value ->> 'float' ELSE report.value END AS value
  FROM events, json_each(events.line, '$[1].columns') AS metric, json_each(metric.value) AS report
 WHERE events.kind = 'Reported' AND report.type <> 'null';
