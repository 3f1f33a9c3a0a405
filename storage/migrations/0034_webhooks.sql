-- What other systems are told of: who wants to hear, what is waiting, what was tried and what came of it.

create table webhook_subscription (
    subscription_id uuid primary key,
    url             text not null,
    event_types     text[] not null,               -- empty: all there are
    description     text not null,
    secret          text not null,                 -- whsec_…: whatever is sent is signed with it
    previous_secret text,                          -- signs too until previous_until, so that a receiver can change over
    previous_until  timestamptz,
    made_at         timestamptz not null default clock_timestamp(),
    paused_at       timestamptz,
    paused_because  text,
    removed_at      timestamptz,
    dropped         bigint not null default 0      -- not queued because too many were waiting
);
comment on table webhook_subscription is 'Where events are sent to (Standard Webhooks).';

create table webhook_message (
    message_id uuid primary key,
    event_type text not null,
    body       text not null,                      -- byte for byte what is signed and sent
    profile_id uuid references profile on delete cascade, -- whom it tells of; then nothing is sent without her consent
    made_at    timestamptz not null default clock_timestamp()
);
create index webhook_message_age on webhook_message (made_at);
create index webhook_message_profile on webhook_message (profile_id) where profile_id is not null;
comment on table webhook_message is 'One event as it is told; written in the transaction of what it tells.';

create table webhook_delivery (
    delivery_id     bigint generated always as identity primary key,
    message_id      uuid not null references webhook_message on delete cascade,
    subscription_id uuid not null references webhook_subscription,
    status          text not null default 'waiting' check (status in ('waiting', 'delivered', 'dead', 'withheld')),
    attempts        smallint not null default 0,   -- since it was queued, or queued again by hand
    next_at         timestamptz not null default clock_timestamp(), -- of a running attempt: when it counts as lost
    finished_at     timestamptz,
    unique (message_id, subscription_id)
);
create index webhook_delivery_due on webhook_delivery (subscription_id, next_at) where status = 'waiting';
create index webhook_delivery_log on webhook_delivery (subscription_id, delivery_id desc);
create index webhook_delivery_status on webhook_delivery (status, delivery_id desc);
comment on table webhook_delivery is 'A message on its way to one subscription; dead after the last attempt.';

create table webhook_attempt (
    attempt_no  bigint generated always as identity primary key,
    delivery_id bigint not null references webhook_delivery on delete cascade,
    begun_at    timestamptz not null,
    duration_ms integer not null,
    http_status smallint,                          -- null: nothing was answered
    outcome     text not null                      -- a sentence
);
create index webhook_attempt_delivery on webhook_attempt (delivery_id, attempt_no);
comment on table webhook_attempt is 'What came of each attempt.';
