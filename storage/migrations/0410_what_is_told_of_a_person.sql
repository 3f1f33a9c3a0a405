-- What stands on a profile that was merged is told of the profile that stands for it, as visits and events are: under its
-- id and name, and while the consent of both holds. `of_profile` is the profile that a row was written on, which the
-- indexes go by.

create or replace view note_seen as
select note.note_id, note.asked_sha256, coalesce(own.merged_into, note.profile_id) as profile_id, note.store_no,
       note.zone_no, note.visit_id, note.noted_at, note.received_at, note.operator, note.source, note.purpose,
       note.subject, note.detail, note.outcome, note.mood, note.tags, note.feeling_chosen, note.feeling_read,
       note.feeling, note.revision, note.edited_at, note.words,
       coalesce(kept.display_name, own.display_name) as profile_name, note.profile_id as of_profile
  from note left join profile own on own.profile_id = note.profile_id
       left join profile kept on kept.profile_id = own.merged_into
 -- conditions of one table each: else the planner would look through all consents twice
 where (note.profile_id is null
        or exists (select from consent_current consent
                    where consent.profile_id = note.profile_id and consent.purpose = 'in_store_journey'
                      and consent.holds)
       and not consent_broken(note.profile_id, 'in_store_journey', note.noted_at))
   and (own.merged_into is null or consent_holds(own.merged_into, 'in_store_journey'));

create or replace view alert_seen as
select alert.alert_id, coalesce(own.merged_into, alert.profile_id) as profile_id, alert.rule, alert.rule_version,
       alert.because, alert.evidence, alert.evidence_key, alert.made_at, alert.was_right, alert.judged_by,
       alert.judged_at, alert.followed, coalesce(kept.display_name, own.display_name) as profile_name,
       alert.profile_id as of_profile
  from alert join profile own on own.profile_id = alert.profile_id
       left join profile kept on kept.profile_id = own.merged_into
 where consent_holds(alert.profile_id, 'in_store_journey')
   and (own.merged_into is null or consent_holds(own.merged_into, 'in_store_journey'))
   and not consent_broken(alert.profile_id, 'in_store_journey', alert.made_at);

create or replace view message_seen as
select message.message_id, coalesce(own.merged_into, message.profile_id) as profile_id, message.template,
       message.subject, message.body, message.operator, message.made_at, message.profile_id as of_profile
  from message join profile own on own.profile_id = message.profile_id
 where consent_holds(message.profile_id, 'in_store_journey')
   and (own.merged_into is null or consent_holds(own.merged_into, 'in_store_journey'))
   and not consent_broken(message.profile_id, 'in_store_journey', message.made_at);
