-- When somebody was reminded of a follow-up; null again once it is due at another time or somebody else's.

alter table follow_up add column reminded_at timestamptz;
update follow_up set reminded_at = now() where due_at < now();  -- nobody is reminded of what was overdue before
create index follow_up_reminded on follow_up (due_at) where done_at is null and reminded_at is null;

-- what was promised stands in words that staff wrote to each other: no default says them to the customer
update message_template
   set body = replace(body, '{promise|Somebody of our team will call you.}', 'Somebody of our team will call you.')
 where template = 'sorry';
