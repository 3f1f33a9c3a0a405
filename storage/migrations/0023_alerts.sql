-- Limits that tell when they are passed, and what was told.
create table store_alert_rule (
    rule_no    bigint generated always as identity primary key,
    store_no   integer not null references store,
    kind       text not null check (kind in ('occupancy', 'queue_wait', 'anchor_down', 'unusual_dwell')),
    zone_no    smallint,                   -- null: the store
    opens_at   double precision not null,  -- in the unit of the kind
    clears_at  double precision not null,  -- lower: between both an alert stays as it is
    for_s      integer not null,           -- how long a value must be beyond before anything is told
    operator   text not null,
    made_at    timestamptz not null default clock_timestamp(),
    removed_at timestamptz,
    since      timestamptz,                -- since when the value is beyond the bound that matters now
    check (clears_at < opens_at and for_s >= 0)
);
create index store_alert_rule_store on store_alert_rule (store_no) where removed_at is null;
comment on table store_alert_rule is 'When an alert opens and when it closes.';

create table store_alert (
    alert_no  bigint generated always as identity primary key,
    rule_no   bigint not null references store_alert_rule,
    store_no  integer not null references store,
    opened_at timestamptz not null,
    value     double precision not null,   -- when it opened
    worst     double precision not null,
    closed_at timestamptz
);
create unique index store_alert_open on store_alert (rule_no) where closed_at is null;
create index store_alert_newest on store_alert (store_no, opened_at desc);
comment on table store_alert is 'When limits were passed and when that was over.';
