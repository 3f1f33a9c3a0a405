-- Segments of customers, by rule: who is in one is asked anew each time.

create table segment (
    segment_no integer generated always as identity primary key,
    name       text not null,
    rule       jsonb not null,                 -- core.journey.segments.SegmentRule
    made_by    text not null,
    made_at    timestamptz not null default clock_timestamp(),
    removed_at timestamptz
);
comment on table segment is 'A rule over visits, dwell, stages, feelings and orders, with its name.';
