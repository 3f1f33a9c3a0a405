-- Sentences of alerts say days by their dates from now on. Older ones say "3 days ago", and of promises "is not done":
-- they say on which day that was.
update alert
   set because = regexp_replace(because, '\.$', '') || ', as seen on ' || to_char(made_at at time zone 'UTC', 'Dy FMDD Mon YYYY')
                 || '.'
 where because ~ ' ago' and because !~ ', as seen on ';
