-- A withdrawal that comes late takes effect from when it was said: what was taken in meanwhile shows no more, not even
-- after a new grant. What is refused at the door (storage.inputs) and what is hidden here follow one rule.
create function consent_broken(profile uuid, asked text, at timestamptz) returns boolean language sql stable as $$
    select coalesce((select status = 'withdrawn' or expires_at <= at from consent_event
                      where profile_id = profile and purpose = asked and occurred_at <= at
                      order by occurred_at desc, consent_no desc limit 1), false)
$$;
comment on function consent_broken is 'Whether the newest word by then was a withdrawal, or had expired; false before any.';

create view event_seen as
select event.* from customer_event event
 -- consent_broken written out: a function is begun anew for each row, and a customer has thousands
 where not coalesce((select status = 'withdrawn' or expires_at <= event.occurred_at from consent_event word
                      where word.profile_id = event.profile_id and purpose = 'in_store_journey'
                        and word.occurred_at <= event.occurred_at
                      order by word.occurred_at desc, consent_no desc limit 1), false);
comment on view event_seen is 'Events, but for those of a time in which consent had been withdrawn or had expired.';

create or replace view note_seen as
select note.*, profile.display_name as profile_name
  from note left join profile using (profile_id)
 where note.profile_id is null
    or exists (select from consent_current consent
                where consent.profile_id = note.profile_id and consent.purpose = 'in_store_journey' and consent.holds)
   and not consent_broken(note.profile_id, 'in_store_journey', note.noted_at);
create or replace view alert_seen as
select alert.*, profile.display_name as profile_name
  from alert join profile using (profile_id)
 where consent_holds(alert.profile_id, 'in_store_journey')
   and not consent_broken(alert.profile_id, 'in_store_journey', alert.made_at);
create or replace view message_seen as
select message.* from message
 where consent_holds(message.profile_id, 'in_store_journey')
   and not consent_broken(message.profile_id, 'in_store_journey', message.made_at);
