-- The templates that came along say nothing of which nothing is known: they thanked for a visit where none is known, were
-- glad that something was liked that nobody has heard of, and promised a call that nobody had to make. A template that
-- somebody has changed stays as it is.
update message_template
   set body = E'Dear {first_name},\n\nthank you for your visit to {last_store}. We were glad that you liked {delight}.\n\nYour team'
 where template = 'thanks'
   and body = E'Dear {first_name},\n\nthank you for your visit to {last_store|our store}. We were glad that you liked {delight|it}.\n\nYour team';
update message_template
   set body = E'Dear {first_name},\n\nwe are sorry about {frustration|what went wrong}. We have not forgotten {promise|it}.\n\nYour team'
 where template = 'sorry'
   and body = E'Dear {first_name},\n\nwe are sorry about {frustration|your last visit}. Somebody of our team will call you.\n\nYour team';
