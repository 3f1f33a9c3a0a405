-- What is learnt from all customers together, and what each store has decided to do for one.

create table return_model (
    model_no       bigint generated always as identity primary key,
    kind           text not null check (kind in ('bg_nbd', 'mbg_nbd')),
    r              double precision not null,
    alpha_days     double precision not null,
    a              double precision not null,
    b              double precision not null,
    log_likelihood double precision not null,
    customers      integer not null,
    through        timestamptz not null,      -- visits until then went in
    fitted_at      timestamptz not null default clock_timestamp()
);
comment on table return_model is 'BG/NBD and MBG/NBD of the whole clientele; the newest of the greater likelihood counts.';

create table cue_policy (
    store_no integer not null references store,
    version  integer not null,
    policy   jsonb not null,                   -- core.journey.cues.CuePolicy
    made_by  text not null,
    made_at  timestamptz not null default clock_timestamp(),
    primary key (store_no, version)
);
comment on table cue_policy is 'What a store does for a customer who arrives; every version is kept.';
