-- Notes of staff with the history of their edits, and the lists that notes choose from. A note on a profile goes with it.

create table note_choice (
    list    text not null check (list in ('purpose', 'outcome', 'mood', 'tag')),
    word    text not null check (word ~ '^[a-z0-9][a-z0-9_]{0,39}$'),
    label   text not null,
    place   integer not null,                 -- its place in the list
    feeling text check (feeling in ('positive', 'negative', 'neutral', 'mixed')),
    retired boolean not null default false,   -- not offered any more; notes that have it keep it
    primary key (list, word)
);
comment on table note_choice is 'What the user lets notes choose from.';

insert into note_choice (list, place, word, label, feeling) values
    ('purpose', 1, 'observation', 'Observation', null),
    ('purpose', 2, 'service', 'Service', null),
    ('purpose', 3, 'sales', 'Sales', null),
    ('purpose', 4, 'credit_control', 'Credit control', null),
    ('outcome', 1, 'bought', 'Bought', null),
    ('outcome', 2, 'comes_back', 'Wants to come back', null),
    ('outcome', 3, 'undecided', 'Undecided', null),
    ('outcome', 4, 'left_without', 'Left without buying', null),
    ('outcome', 5, 'solved', 'Problem solved', null),
    ('outcome', 6, 'not_solved', 'Problem not solved', null),
    ('mood', 1, 'delighted', 'Delighted', 'positive'),
    ('mood', 2, 'pleased', 'Pleased', 'positive'),
    ('mood', 3, 'neutral', 'Neutral', 'neutral'),
    ('mood', 4, 'torn', 'Torn', 'mixed'),
    ('mood', 5, 'frustrated', 'Frustrated', 'negative'),
    ('mood', 6, 'angry', 'Angry', 'negative'),
    ('tag', 1, 'hesitated', 'Hesitated', null),
    ('tag', 2, 'touched_again', 'Touched the product again and again', null),
    ('tag', 3, 'confused_by_sign', 'Confused by the sign', null),
    ('tag', 4, 'excited_by_packaging', 'Excited by packaging', null),
    ('tag', 5, 'asked_sustainability', 'Asked about sustainability', null),
    ('tag', 6, 'asked_price', 'Asked about the price', null),
    ('tag', 7, 'size_missing', 'Size or colour missing', null),
    ('tag', 8, 'left_queue', 'Left the queue', null),
    ('tag', 9, 'praised_staff', 'Praised the staff', null),
    ('tag', 10, 'looked_for_help', 'Looked for help', null);

create table note (
    note_id        uuid primary key,          -- chosen by whoever wrote it, so that sending it twice keeps one
    asked_sha256   bytea not null,            -- of what was sent: the same id with something else is refused
    profile_id     uuid references profile on delete cascade,
    store_no       integer references store,
    zone_no        smallint,
    visit_id       uuid,                      -- the store visit it was noted in; its name, which holds before it is decided
    noted_at       timestamptz not null,
    received_at    timestamptz not null default now(),  -- later where it was written offline
    operator       text not null,
    source         text not null check (source in ('staff', 'email', 'chat', 'social')),
    purpose        text not null,
    subject        text not null,
    detail         text not null,
    outcome        text,
    mood           text,
    tags           text[] not null,
    feeling_chosen text check (feeling_chosen in ('positive', 'negative', 'neutral', 'mixed')),
    feeling_read   jsonb not null,            -- what the model suggested, clause by clause, with its name and version
    feeling        text not null generated always as (coalesce(feeling_chosen, feeling_read ->> 'feeling')) stored,
    revision       integer not null default 0,
    edited_at      timestamptz,
    words          tsvector not null generated always as
                   (to_tsvector('english', subject || ' ' || detail)) stored,
    foreign key (store_no, zone_no) references zone,
    check (zone_no is null or store_no is not null)
);
create index note_newest on note (noted_at desc, note_id);
create index note_profile on note (profile_id, noted_at desc) where profile_id is not null;
create index note_words on note using gin (words);
create index note_tags on note using gin (tags);

create table note_revision (
    note_id   uuid not null references note on delete cascade,
    revision  integer not null,               -- the one that came of it
    edited_at timestamptz not null,
    operator  text not null,
    before    jsonb not null,                 -- what could be edited, as it stood until then
    primary key (note_id, revision)
);

create table follow_up (
    follow_up_id uuid primary key,
    note_id      uuid not null references note on delete cascade,
    after        uuid references follow_up on delete cascade,   -- the one that it was chained to
    operator     text not null,
    due_at       timestamptz not null,
    timezone     text not null,               -- whose calendar says on which day it is due
    instructions text not null,
    made_at      timestamptz not null,
    done_at      timestamptz,
    done_by      text,
    result       text,
    check ((done_at is null) = (result is null) and (done_at is null) = (done_by is null))
);
create index follow_up_open on follow_up (lower(operator), due_at) where done_at is null;
create index follow_up_note on follow_up (note_id);
create unique index follow_up_after on follow_up (after);

create table follow_up_change (
    follow_up_id uuid not null references follow_up on delete cascade,
    change_no    integer not null,
    changed_at   timestamptz not null,
    operator     text not null,
    change       text not null check (change in ('snoozed', 'reassigned')),
    before       text not null,
    after        text not null,
    primary key (follow_up_id, change_no)
);

-- A note on a profile is seen only while the consent holds, as everything on that profile.
create view note_seen as
select note.*, profile.display_name as profile_name
  from note left join profile using (profile_id)
 where note.profile_id is null
    or exists (select from consent_current consent
                where consent.profile_id = note.profile_id and consent.purpose = 'in_store_journey' and consent.holds);
comment on view note_seen is 'Notes that may be seen now: without consent those on the profile have no row.';
