-- What the broker says it dropped, so that a queue that is too short is seen. Nothing is lost by it: edges send again.
alter table ingest_status
    add column broker_dropped bigint,          -- messages, as the broker counts since it started; null where it tells nothing
    add column broker_dropped_at timestamptz;  -- when ingest last saw that number grow
