-- Personal messages: templates, and what was said to whom. A message goes with the profile.

create table message_template (
    template   text primary key check (template ~ '^[a-z0-9][a-z0-9_]{0,39}$'),
    purpose    text not null,                 -- the consent that it needs, beside the one for in-store journeys
    subject    text not null,
    body       text not null,
    quiet_days integer not null check (quiet_days between 0 and 90),   -- after a bad experience; 0: sent even then
    cap_count  integer not null check (cap_count between 1 and 30),    -- messages of any template …
    cap_days   integer not null check (cap_days between 1 and 365),    -- … within so many days
    retired    boolean not null default false
);
insert into message_template (template, purpose, subject, body, quiet_days, cap_count, cap_days) values
    ('thanks', 'personal_messages', 'Thank you, {first_name}',
     E'Dear {first_name},\n\nthank you for your visit to {last_store|our store}. We were glad that you liked {delight|it}.\n\nYour team',
     14, 2, 30),
    ('sorry', 'service_messages', 'We would like to make this good',
     E'Dear {first_name},\n\nwe are sorry about {frustration|your last visit}. {promise|Somebody of our team will call you.}\n\nYour team',
     0, 2, 14);

create table message (
    message_id uuid primary key,
    profile_id uuid not null references profile on delete cascade,
    template   text not null references message_template,
    subject    text not null,
    body       text not null,
    operator   text not null,
    made_at    timestamptz not null
);
create index message_profile on message (profile_id, made_at desc);

create view message_seen as
select message.* from message where consent_holds(message.profile_id, 'in_store_journey');
comment on view message_seen is 'Messages that may be seen now: without consent a profile has none.';
