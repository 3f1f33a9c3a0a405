-- An enrolment lasts: it is asked for however long ago it was, and must not be looked for among years of product views.
create index customer_event_enrolled on customer_event (profile_id) where newest and kind = 'enrolled';
