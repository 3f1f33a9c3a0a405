-- Who may send signed webhooks here, and tickets to the card of a profile.

create table webhook_sender (
    source          text primary key,              -- as the source of events
    secret          text not null,                 -- whsec_…: whatever comes has to be signed with it
    previous_secret text,
    previous_until  timestamptz,
    made_at         timestamptz not null default clock_timestamp(),
    heard_at        timestamptz                    -- when something with a good signature came last
);
comment on table webhook_sender is 'Systems whose signed webhooks are taken in.';

create table card_ticket (
    ticket_sha256 bytea primary key,               -- the ticket itself is told once and kept nowhere
    profile_id    uuid not null references profile on delete cascade,
    made_by       text not null,
    made_at       timestamptz not null default clock_timestamp(),
    expires_at    timestamptz not null
);
create index card_ticket_age on card_ticket (expires_at);
comment on table card_ticket is 'Short-lived leave to show the card of one profile in a frame.';
