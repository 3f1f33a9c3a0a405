-- What was wrong with edges and anchors: raised when it has held, over when that has held.

create table fleet_alarm (
    alarm_no  bigint generated always as identity primary key,
    store_no  integer not null references store,
    alarm     text not null,
    edge      text not null,    -- empty: not about one edge
    anchor    text not null,    -- empty: not about one anchor
    says      text not null,    -- when it was seen first
    hint      text not null,
    seen_at   timestamptz not null,
    since     timestamptz,      -- since when the bound that matters now is passed: to be raised, or to be over
    opened_at timestamptz,      -- null: it has not held long enough yet
    closed_at timestamptz
);
create unique index fleet_alarm_open on fleet_alarm (store_no, alarm, edge, anchor) where closed_at is null;
create index fleet_alarm_newest on fleet_alarm (store_no, alarm_no desc) where opened_at is not null;
create index fleet_alarm_closed on fleet_alarm (closed_at) where closed_at is not null;
comment on table fleet_alarm is 'What was wrong with edges and anchors, and when that was over.';
