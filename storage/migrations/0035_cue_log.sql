-- Cues as they were told, what came of them, and policies that are tried on a random half.

create table cue_trial (
    trial_no integer generated always as identity primary key,
    store_no integer not null references store,
    name     text not null,
    policy   jsonb not null,                   -- core.journey.cues.CuePolicy: of the half that it is tried on
    salt     uuid not null,                    -- draws the halves: core.journey.trials.tries
    made_by  text not null,
    begun_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
);
create unique index cue_trial_running on cue_trial (store_no) where ended_at is null; -- two at once would blur each other
comment on table cue_trial is 'A policy tried on a random half of the customers beside the policy that holds.';

create table cue_log (
    cue_no         bigint generated always as identity primary key,
    visit_id       uuid not null unique,       -- as the engine will name the visit if it decides it as it looks now
    store_no       integer not null references store,
    profile_id     uuid not null references profile on delete cascade,
    arrived_at     timestamptz not null,
    told_at        timestamptz not null default clock_timestamp(),
    cue            text not null,              -- core.journey.cues.Cue
    because        text not null,
    rule_no        smallint,                   -- null: the customer's preference, or the quiet default
    policy_version integer not null,           -- of the store; 0 the default
    trial_no       integer references cue_trial,
    tried          boolean,                    -- on which half of the trial
    outcome        text check (outcome in ('done', 'declined', 'not_met')),
    outcome_by     text,
    outcome_at     timestamptz,
    check ((trial_no is null) = (tried is null))
);
create index cue_log_store on cue_log (store_no, cue_no desc);
create index cue_log_profile on cue_log (profile_id, told_at desc);
create index cue_log_trial on cue_log (trial_no, profile_id, arrived_at) where trial_no is not null;
comment on table cue_log is 'Every cue that was told, with its reason and what came of it.';
