-- Alerts of customers who were not heard of were judged as wrong: they are judged anew at the next look.
update alert set followed = null where not followed and rule <> 'slipping';
