-- What the rules foresee of a customer: an alert says why, and its task goes to a person. It goes with the profile.

create table alert_rule (
    rule     text primary key,                -- core.memory.foresight.RULES
    operator text,                            -- whose task list; null: who last wrote a note on the customer
    enabled  boolean not null
);
comment on table alert_rule is 'What somebody has changed of a rule; without a row it is enabled and has no operator.';

create table alert (
    alert_id     uuid primary key default gen_random_uuid(),
    profile_id   uuid not null references profile on delete cascade,
    rule         text not null,
    rule_version integer not null,
    because      text not null,
    evidence     jsonb not null,              -- kinds, ids and times; never words
    evidence_key text not null,               -- the newest of it: the same evidence alerts once
    made_at      timestamptz not null,
    was_right    boolean,                     -- what a person said of it
    judged_by    text,
    judged_at    timestamptz,
    followed     boolean,                     -- what came within 30 days: whether it was what the rule foresaw
    unique (profile_id, rule, evidence_key),
    check ((was_right is null) = (judged_by is null) and (was_right is null) = (judged_at is null))
);
create index alert_newest on alert (made_at desc, alert_id);
create index alert_unsettled on alert (made_at) where followed is null;

create table alert_look (
    profile_id uuid primary key references profile on delete cascade,
    looked_at  timestamptz not null
);
create index alert_look_oldest on alert_look (looked_at);

create view alert_seen as
select alert.*, profile.display_name as profile_name
  from alert join profile using (profile_id)
 where consent_holds(alert.profile_id, 'in_store_journey');
comment on view alert_seen is 'Alerts that may be seen now: without consent a profile has none.';

alter table follow_up alter column note_id drop not null;
alter table follow_up add column alert_id uuid references alert on delete cascade;
alter table follow_up add constraint follow_up_about check (num_nonnulls(note_id, alert_id) = 1);
create index follow_up_alert on follow_up (alert_id) where alert_id is not null;

create view follow_up_seen as
select follow_up.*, coalesce(note.subject, alert.because) as subject,
       coalesce(note.profile_id, alert.profile_id) as profile_id,
       coalesce(note.profile_name, alert.profile_name) as profile_name
  from follow_up left join note_seen note using (note_id) left join alert_seen alert using (alert_id)
 where note.note_id is not null or alert.alert_id is not null;
comment on view follow_up_seen is 'Follow-ups of notes and alerts that may be seen now.';
